# All that Berth's token may do. The keys berth-cp-main and berth-payload are made by an operator:
#   bao write transit/keys/berth-cp-main derived=true exportable=false
#   bao write transit/keys/berth-payload derived=true exportable=false
# It cannot make, rotate, read, export, back up or delete a key.
path "transit/encrypt/berth-cp-main" { capabilities = ["update"] }
path "transit/decrypt/berth-cp-main" { capabilities = ["update"] }
path "transit/hmac/berth-payload/sha2-256" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
