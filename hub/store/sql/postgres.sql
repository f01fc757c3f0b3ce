-- The hot statements on PostgreSQL. Values are named :so; lists come as one JSON array, which any number of
-- rows fits and one plan serves; where it is joined to a table it is limited to its own :count, for the planner
-- believes in a hundred rows and would read a small table whole. Times are whole microseconds since 1970.

-- name: commit
-- Makes durable what the transaction did.
COMMIT

-- name: now
-- The moment when the transaction began, by the clock that all processes share.
SELECT (extract(epoch FROM now()) * 1000000)::bigint

-- name: wake
-- Tells every worker that something may be due, once this is committed.
NOTIFY hub_wake

-- name: insert_events
-- Keeps new events, and owes the deliveries of those, due now or at no time while a variable is not set; of
-- events whose message id is known nothing changes. Answers with the ids of the new. Index: uq_events_message.
WITH new AS (
    INSERT INTO events (
        id, source, message_id, type, version, object_key, payload, received_at, verdicts, owed
    )
    SELECT id, source, message_id, type, version, object_key,
           substring(:payloads::bytea FROM starts_at + 1 FOR size), received_at, verdicts, owed
    FROM json_to_recordset(:events::json) AS event (
        id text, source text, message_id text, type text, version text, object_key text, starts_at int,
        size int, received_at bigint, verdicts text, owed int
    )
    ON CONFLICT (source, message_id) DO NOTHING
    RETURNING id
), owed AS (
    INSERT INTO deliveries (
        id, event_id, event_type, route, position, destination, version, send, state, attempts, tries, due_at,
        owed_since, needs, valid_until, created_at
    )
    SELECT delivery.id, event_id, event_type, route, position, destination, version, send, 'pending', 0, 0,
           CASE WHEN needs IS NULL THEN now END, CASE WHEN needs IS NULL THEN now END, needs,
           valid_until, now
    FROM json_to_recordset(:deliveries::json) AS delivery (
        id text, event_id text, event_type text, route text, position int, destination text, version text,
        send text, needs text, valid_until bigint
    ), (SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now) AS clock
    WHERE event_id IN (SELECT id FROM new)
)
SELECT id FROM new

-- name: add_deliveries
-- Owes deliveries of events that are kept, due now or at no time while a variable is not set. Index: none.
INSERT INTO deliveries (
    id, event_id, event_type, route, position, destination, version, send, state, attempts, tries, due_at,
    owed_since, needs, valid_until, created_at
)
SELECT delivery.id, event_id, event_type, route, position, destination, version, send, 'pending', 0, 0,
       CASE WHEN needs IS NULL THEN now END, CASE WHEN needs IS NULL THEN now END, needs,
           valid_until, now
FROM json_to_recordset(:deliveries::json) AS delivery (
    id text, event_id text, event_type text, route text, position int, destination text, version text, send text,
    needs text, valid_until bigint
), (SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now) AS clock

-- name: event_before
-- Reads the newest event about an object that a source sent before another event, and whose payload is kept.
-- Index: ix_events_object.
SELECT id, message_id, type, payload, received_at
FROM events
WHERE object_key = :object_key AND source = :source AND id < :id AND payload IS NOT NULL
ORDER BY id DESC LIMIT 1

-- name: lock_destinations
-- Locks destinations in the order of their names: those of :names, and those of :due_of that something is due
-- for. Index: destinations_pkey, ix_deliveries_due.
SELECT name, configured, available_since, paused_at, paused_reason, failures, probe_at, probes,
       throttled_until, throttled_count, rate_limited_until, failing_since, last_error, last_answer
FROM destinations
WHERE name = ANY (ARRAY(SELECT json_array_elements_text(:names::json)))
   OR name = ANY (ARRAY(SELECT json_array_elements_text(:due_of::json)))
      AND (SELECT min(due_at) FROM deliveries WHERE state = 'pending' AND destination = name)
          <= (extract(epoch FROM now()) * 1000000)::bigint
ORDER BY name
FOR UPDATE

-- name: lock_claims
-- Locks deliveries that are being sent, in the order of their ids, and tells under which token each is.
-- Index: deliveries_pkey.
SELECT id, token
FROM deliveries
WHERE id = ANY (ARRAY(SELECT json_array_elements_text(:ids::json))) AND state = 'sending'
ORDER BY id
FOR UPDATE

-- name: count_waiting
-- Counts, for each destination that has a row, what is due (up to 100) and what all workers send, and finds
-- the next moment when something falls due. Index: ix_deliveries_due, ix_deliveries_sending.
SELECT name,
       (SELECT count(*) FROM (
           SELECT FROM deliveries
           WHERE state = 'pending' AND destination = name
             AND due_at <= (extract(epoch FROM now()) * 1000000)::bigint
           ORDER BY due_at LIMIT 100
       ) AS due),
       (SELECT min(due_at) FROM deliveries
        WHERE state = 'pending' AND destination = name
          AND due_at > (extract(epoch FROM now()) * 1000000)::bigint),
       (SELECT count(*) FROM deliveries WHERE state = 'sending' AND destination = name)
FROM destinations
WHERE name = ANY (ARRAY(SELECT json_array_elements_text(:names::json)))

-- name: claim
-- Claims what is due of one destination, each as an attempt that begins now: :first_count of those never
-- tried, the rest of those that were, and where one kind is too few the longest due of the other. What is
-- chosen is locked outside of what chooses, and pending is written so that no planner takes the index of all
-- that is pending here, which it believes empty where nothing was pending when it last counted.
-- Index: ix_deliveries_first, ix_deliveries_retry, ix_deliveries_due, deliveries_pkey.
WITH due AS MATERIALIZED (
    SELECT id, min(turn) AS turn
    FROM (
        (SELECT id, 0 AS turn FROM deliveries
         WHERE state = 'pending' AND tries = 0 AND destination = :destination AND due_at <= :now::bigint
         ORDER BY due_at LIMIT :first_count::int)
        UNION ALL
        (SELECT id, 0 FROM deliveries
         WHERE state = 'pending' AND tries > 0 AND destination = :destination AND due_at <= :now::bigint
         ORDER BY due_at LIMIT :count::int - :first_count::int)
        UNION ALL
        (SELECT id, 1 FROM deliveries
         WHERE state = 'pending' AND destination = :destination AND due_at <= :now::bigint
         ORDER BY due_at LIMIT :count::int)
    ) AS either
    GROUP BY id
), locked AS MATERIALIZED (
    SELECT deliveries.id
    FROM due JOIN deliveries ON deliveries.id = due.id
    WHERE deliveries.state || '' = 'pending' AND deliveries.due_at <= :now::bigint
    ORDER BY due.turn, deliveries.due_at LIMIT :count::int
    FOR UPDATE OF deliveries SKIP LOCKED
), claimed AS (
    UPDATE deliveries
    SET state = 'sending', token = :token, lease_until = :lease_until::bigint, attempts = attempts + 1,
        tries = tries + 1
    FROM locked WHERE deliveries.id = locked.id
    RETURNING deliveries.*
), opened AS (
    INSERT INTO attempts (delivery_id, number, destination, at)
    SELECT id, attempts, destination, :now::bigint FROM claimed
)
SELECT claimed.id, token, route, claimed.version, send, attempts, tries, message, rendering, degraded,
       accepted, valid_until, events.id, source, message_id, type, payload, received_at
FROM claimed JOIN events ON events.id = event_id
ORDER BY due_at, claimed.id

-- name: settle
-- Writes what became of deliveries that are locked; where the message or the due time is empty it stays. One
-- that waits for what it needs is due at no time; one that was sent and has no message will be rendered anew.
-- Index: deliveries_pkey.
UPDATE deliveries
SET state = new.state, reason = new.reason, needs = new.needs,
    due_at = CASE WHEN new.needs IS NULL THEN COALESCE(new.due_at, deliveries.due_at) END,
    owed_since = CASE WHEN new.needs IS NULL THEN deliveries.owed_since END,
    attempts = new.attempts, tries = new.tries, accepted = new.accepted,
    message = COALESCE(new.message, deliveries.message),
    rendering = new.rendering + (new.began AND COALESCE(new.message, deliveries.message) IS NULL)::int,
    degraded = COALESCE(new.degraded, deliveries.degraded), delivered_at = new.delivered_at,
    finished_at = new.finished_at, token = NULL, lease_until = NULL
FROM (
    SELECT *
    FROM json_to_recordset(:rows::json) AS row (
        id text, state text, reason text, due_at bigint, needs text, attempts int, tries int, accepted text,
        message text, rendering int, began boolean, degraded text, delivered_at bigint, finished_at bigint
    )
    LIMIT :count::int
) AS new
WHERE deliveries.id = new.id

-- name: close_attempts
-- Writes what came of attempts. Index: attempts_pkey.
UPDATE attempts
SET seconds = new.seconds, outcome = new.outcome, status = new.status, detail = new.detail,
    answer = new.answer
FROM (
    SELECT *
    FROM json_to_recordset(:rows::json) AS row (
        delivery_id text, number int, seconds float, outcome text, status int, detail text, answer text
    )
    LIMIT :count::int
) AS new
WHERE attempts.delivery_id = new.delivery_id AND attempts.number = new.number

-- name: remove_attempts
-- Removes attempts that never began. Index: attempts_pkey.
DELETE FROM attempts
USING (
    SELECT * FROM json_to_recordset(:rows::json) AS row (delivery_id text, number int) LIMIT :count::int
) AS gone
WHERE attempts.delivery_id = gone.delivery_id AND attempts.number = gone.number

-- name: save_destinations
-- Keeps the states of destinations; what has no row gets one. Index: destinations_pkey.
INSERT INTO destinations (
    name, configured, available_since, paused_at, paused_reason, failures, probe_at, probes,
    throttled_until, throttled_count, rate_limited_until, failing_since, last_error, last_answer
)
SELECT *
FROM json_to_recordset(:rows::json) AS new (
    name text, configured boolean, available_since bigint, paused_at bigint, paused_reason text, failures int,
    probe_at bigint, probes int, throttled_until bigint, throttled_count int, rate_limited_until bigint,
    failing_since bigint, last_error text, last_answer text
)
ON CONFLICT (name) DO UPDATE
SET configured = excluded.configured, available_since = excluded.available_since,
    paused_at = excluded.paused_at, paused_reason = excluded.paused_reason, failures = excluded.failures,
    probe_at = excluded.probe_at, probes = excluded.probes, throttled_until = excluded.throttled_until,
    throttled_count = excluded.throttled_count, rate_limited_until = excluded.rate_limited_until,
    failing_since = excluded.failing_since, last_error = excluded.last_error, last_answer = excluded.last_answer

-- name: add_audit_subjects
-- Lets an entry of the audit be found by those that an act on many was done to. Index: audit_subjects_pkey.
INSERT INTO audit_subjects (subject, audit_id)
SELECT subject, :audit_id FROM json_array_elements_text(:subjects::json) AS subject
ON CONFLICT DO NOTHING
