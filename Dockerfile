FROM node:22-bookworm-slim AS build
WORKDIR /sureshot
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run generate && npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
# the certificates that Temporal's native client asks the system for
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
WORKDIR /sureshot
ENV NODE_ENV=production
COPY --from=build /sureshot/package.json ./
COPY --from=build /sureshot/node_modules node_modules
COPY --from=build /sureshot/prisma/migrations prisma/migrations
COPY --from=build /sureshot/dist dist
RUN mkdir -p /var/lib/sureshot/blobs && chown -R node:node /var/lib/sureshot
USER node
EXPOSE 3000
CMD ["node", "dist/server.js"]
