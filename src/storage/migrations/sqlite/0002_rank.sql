-- The term of a slot's owner in the slot table of its cluster, by which claims are told apart; 0 for a node that stands
-- alone. `term` is counted by the store itself, one more at each claim.
ALTER TABLE slot ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
