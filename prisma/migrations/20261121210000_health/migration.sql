CREATE TABLE "health_checks" (
    "provider" TEXT NOT NULL,
    "credential" TEXT NOT NULL,
    "model" TEXT,
    "code" TEXT,
    "latency_ms" INTEGER NOT NULL,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "health_checks_pkey" PRIMARY KEY ("provider")
);
