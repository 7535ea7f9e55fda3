#!/bin/sh
# Makes the search attributes that are missing; may run any number of times.
set -eu

until temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; do
  tries=$((${tries:-0} + 1))
  if [ "$tries" -ge 60 ]; then
    echo "the namespace $TEMPORAL_NAMESPACE does not come up" >&2
    exit 1
  fi
  sleep 1
done

known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE")
for name in $BERTH_SEARCH_ATTRIBUTES; do
  case "$known" in
    *"$name"*) ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword ;;
  esac
done
