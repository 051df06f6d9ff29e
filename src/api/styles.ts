import { Router } from 'express';
import { styles } from '../domain/styles';
import { requireScope } from './authenticate';
import { refuseMethod } from './problem-details';

export const createStyleRoutes = (): Router => {
  const routes = Router();
  routes
    .route('/styles')
    .get(requireScope('read'), (_request, response) => {
      response.json({ data: styles });
    })
    .all(refuseMethod('GET'));
  return routes;
};
