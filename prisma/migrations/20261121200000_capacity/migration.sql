CREATE INDEX "generations_tenant_id_status_idx" ON "generations"("tenant_id", "status");
CREATE INDEX "attempts_provider_status_idx" ON "attempts"("provider", "status");
CREATE INDEX "attempts_provider_credential_sent_at_idx" ON "attempts"("provider", "credential", "sent_at");
CREATE INDEX "attempts_model_ended_at_idx" ON "attempts"("model", "ended_at");

CREATE TABLE "turns" (
    "generation_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "priority" INTEGER NOT NULL,
    "tag" DOUBLE PRECISION NOT NULL,
    "tokens" INTEGER NOT NULL DEFAULT 0,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "asked_at" TIMESTAMPTZ(3),
    "credential" TEXT,
    "lease_until" TIMESTAMPTZ(3),
    "told_at" TIMESTAMPTZ(3),

    CONSTRAINT "turns_pkey" PRIMARY KEY ("generation_id", "number")
);
CREATE INDEX "turns_provider_model_priority_tag_since_idx" ON "turns"("provider", "model", "priority", "tag", "since");
CREATE INDEX "turns_provider_model_since_idx" ON "turns"("provider", "model", "since");

CREATE TABLE "queues" (
    "provider" TEXT NOT NULL,
    "virtual_times" DOUBLE PRECISION[],
    "given" BIGINT NOT NULL DEFAULT 0,
    "next_at" TIMESTAMPTZ(3),
    "looked_at" TIMESTAMPTZ(3),
    "paces" JSONB NOT NULL DEFAULT '{}',
    "paused_at" TIMESTAMPTZ(3),
    "paused_work" TEXT,

    CONSTRAINT "queues_pkey" PRIMARY KEY ("provider")
);

CREATE TABLE "sends" (
    "generation_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "epoch" INTEGER NOT NULL,
    "provider" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "tokens" INTEGER NOT NULL DEFAULT 0,
    "outcome" TEXT,
    "is_fault" BOOLEAN NOT NULL DEFAULT false,
    "latency_ms" INTEGER,

    CONSTRAINT "sends_pkey" PRIMARY KEY ("generation_id", "number", "epoch")
);
CREATE INDEX "sends_provider_credential_at_idx" ON "sends"("provider", "credential", "at");
CREATE INDEX "sends_at_idx" ON "sends"("at");

CREATE TABLE "provider_credentials" (
    "provider" TEXT NOT NULL,
    "alias" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "print" TEXT NOT NULL,
    "priority" INTEGER NOT NULL DEFAULT 100,
    "weight" DOUBLE PRECISION NOT NULL DEFAULT 1,
    "disabled_by" TEXT,
    "disabled_at" TIMESTAMPTZ(3),
    "paused_until" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "last_error_code" TEXT,
    "last_error_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_credentials_pkey" PRIMARY KEY ("provider", "alias")
);

CREATE TABLE "breakers" (
    "provider" TEXT NOT NULL,
    "model" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "openings" INTEGER NOT NULL DEFAULT 0,
    "open_until" TIMESTAMPTZ(3),
    "probe" TEXT,
    "probe_until" TIMESTAMPTZ(3),
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "breakers_pkey" PRIMARY KEY ("provider", "model", "credential")
);

CREATE TABLE "limit_overrides" (
    "provider" TEXT NOT NULL,
    "credential" TEXT NOT NULL DEFAULT '',
    "model" TEXT NOT NULL DEFAULT '',
    "kind" TEXT NOT NULL,
    "most" DECIMAL(20,8),
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "limit_overrides_pkey" PRIMARY KEY ("provider", "credential", "model", "kind")
);

CREATE TABLE "provider_events" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "provider" TEXT NOT NULL,
    "credential" TEXT,
    "model" TEXT,
    "type" TEXT NOT NULL,
    "data" JSONB NOT NULL,

    CONSTRAINT "provider_events_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "provider_events_provider_id_idx" ON "provider_events"("provider", "id");

CREATE TABLE "preferences" (
    "tenant_id" TEXT NOT NULL,
    "user" TEXT NOT NULL DEFAULT '',
    "medium" TEXT NOT NULL,
    "model" TEXT,
    "strategy" TEXT,

    CONSTRAINT "preferences_pkey" PRIMARY KEY ("tenant_id", "user", "medium")
);

-- one number for every choice that takes turns between models
CREATE SEQUENCE "round_robin";
