-- Version 2: networks of IPv6 on bridges, with addresses from the store; what was cut off is told from what is
-- done.

ALTER TABLE bridge ADD COLUMN network6 TEXT;
ALTER TABLE bridge ADD COLUMN routed6 INTEGER NOT NULL DEFAULT 0 CHECK (routed6 IN (0, 1));
ALTER TABLE attachment ADD COLUMN address6 TEXT;
ALTER TABLE pot ADD COLUMN whole INTEGER NOT NULL DEFAULT 1 CHECK (whole IN (0, 1));
CREATE INDEX pot_in_pieces ON pot (name) WHERE NOT whole;
ALTER TABLE run ADD COLUMN stopping INTEGER NOT NULL DEFAULT 0 CHECK (stopping IN (0, 1));
ALTER TABLE run ADD COLUMN attached INTEGER NOT NULL DEFAULT 0 CHECK (attached IN (0, 1));
