-- What phones have set, continued.

ALTER TABLE phone_settings ADD COLUMN do_not_disturb INTEGER NOT NULL DEFAULT 0;
