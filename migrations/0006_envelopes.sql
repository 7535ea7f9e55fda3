-- Sealed values. The type below refuses everything that has not the form of an envelope
-- (doc/architecture/Encryption_Envelope_Spec.md); whether it opens, only the KMS can tell.

-- Base64url without padding, of so many bytes.
create function base64url_bytes(value jsonb) returns integer language sql immutable as
$$ select case when jsonb_typeof(value) = 'string' and (value #>> '{}') ~ '^[A-Za-z0-9_-]*$'
               then length(value #>> '{}') * 3 / 4 end $$;

create function is_envelope(value jsonb) returns boolean language sql immutable as
$$ select coalesce(
     jsonb_typeof(value) = 'object'
     and value - array['v', 'alg', 'kp', 'kid', 'kv', 'mid', 'edk', 'n', 'cmt', 'ct'] = '{}'
     and value -> 'v' in ('1')
     and value -> 'alg' in ('"A256GCMSIV-HKDF-CMT"')
     and value ->> 'kp' in ('local', 'transit')
     and jsonb_typeof(value -> 'kid') = 'string' and value ->> 'kid' ~ '^[a-z0-9][a-z0-9._-]{0,63}$'
     and jsonb_typeof(value -> 'kv') = 'number' and value ->> 'kv' ~ '^[1-9][0-9]{0,9}$'
     and base64url_bytes(value -> 'mid') = 16
     and base64url_bytes(value -> 'edk') between 1 and 4096
     and base64url_bytes(value -> 'n') = 12
     and base64url_bytes(value -> 'cmt') = 32
     and base64url_bytes(value -> 'ct') between 16 and 65552,
   false) $$;
comment on function is_envelope(jsonb) is 'Whether a value has the form of an envelope, version 1.';

-- The type of every column whose name ends in _enc. It is one that the checked SQL does not know,
-- so that a statement which writes it does not compile without db::sealed::bind.
create domain envelope as jsonb constraint envelope_form check (value is null or is_envelope(value));
comment on domain envelope is 'A sealed value: the canonical object of the envelope, and nothing else.';

alter table allocations add column scheduler_metadata jsonb not null default '{}'
  constraint allocations_scheduler_metadata_object check (jsonb_typeof(scheduler_metadata) = 'object')
  constraint allocations_scheduler_metadata_sealed check (
    scheduler_metadata - 'scheduler_request_enc' = '{}'
    and (not scheduler_metadata ? 'scheduler_request_enc'
         or is_envelope(scheduler_metadata -> 'scheduler_request_enc')));
comment on column allocations.scheduler_metadata is 'What a scheduler is told: nothing but sealed members, each an envelope.';
