ALTER TABLE "generations" ADD COLUMN "workflow_seen_at" TIMESTAMPTZ(3);
