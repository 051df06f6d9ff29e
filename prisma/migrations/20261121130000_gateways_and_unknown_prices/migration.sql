ALTER TABLE "attempts" ALTER COLUMN "estimated_usd" DROP NOT NULL;
ALTER TABLE "attempts" ADD COLUMN "gateway" TEXT;
