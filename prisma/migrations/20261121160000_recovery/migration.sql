ALTER TABLE "generations" ADD COLUMN "rerun_of" TEXT;
ALTER TABLE "generations" ADD COLUMN "held_at" TIMESTAMPTZ(3);
CREATE UNIQUE INDEX "generations_rerun_of_key" ON "generations"("rerun_of");

ALTER TABLE "attempts" ADD COLUMN "credential_print" TEXT;
ALTER TABLE "attempts" ADD COLUMN "sender" TEXT;
ALTER TABLE "attempts" ADD COLUMN "announced" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "attempts" ADD COLUMN "adopted_from" TEXT;
ALTER TABLE "attempts" ADD COLUMN "resolution" JSONB;

CREATE TABLE "provider_callbacks" (
    "id" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "generation_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "headers" JSONB NOT NULL,
    "body" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_callbacks_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "provider_callbacks_generation_id_number_idx" ON "provider_callbacks"("generation_id", "number");

CREATE TABLE "kept_credentials" (
    "provider" TEXT NOT NULL,
    "alias" TEXT NOT NULL,
    "print" TEXT NOT NULL,
    "sealed" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "kept_credentials_pkey" PRIMARY KEY ("provider", "alias", "print")
);
