-- Version 2: networks of IPv6 on bridges, with addresses from the store.

ALTER TABLE bridge ADD COLUMN network6 TEXT;
ALTER TABLE bridge ADD COLUMN routed6 INTEGER NOT NULL DEFAULT 0 CHECK (routed6 IN (0, 1));
ALTER TABLE attachment ADD COLUMN address6 TEXT;
