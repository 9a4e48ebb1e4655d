-- Steps of turns that ended long ago are dropped.
CREATE INDEX turn_step_by_age ON turn_step (at);
