-- What the dial plan asks of an extension. No plan is the plan "default"; levels are a JSON array of numbers.

ALTER TABLE extensions ADD COLUMN plan TEXT;
ALTER TABLE extensions ADD COLUMN levels TEXT NOT NULL DEFAULT '[]';
