#!/usr/bin/env bash
# What Fireside serves, with curl alone. Needs: curl
set -euo pipefail
url=${FIRESIDE_URL:-http://localhost:3000}
ask() { curl -sS --fail-with-body -H "Authorization: Bearer ${FIRESIDE_API_KEY:-none}" -H 'Content-Type: application/json' "$@"; echo; }

echo "# What is there"
ask "$url/v1/models"
ask "$url/v1/audio/voices"

echo "# An answer, token by token"
ask -N "$url/v1/chat/completions" -d '{"model": "gpt-4o-mini", "stream": true, "max_tokens": 20,
  "messages": [{"role": "user", "content": "What is the capital of France?"}]}'

echo "# Text alone, as it is"
ask -N "$url/generate" -d '{"prompt": "Once upon a time", "max_tokens": 20}'

echo "# Speech: a file, and events with audio"
ask "$url/v1/audio/speech" -d '{"model": "tts-1", "voice": "alloy", "input": "Good evening. The fire is lit."}' -o evening.mp3
ask -N "$url/v1/audio/speech" -d '{"model": "tts-1", "input": "Good evening.", "response_format": "pcm", "stream_format": "jsonl"}'

echo "# An answer that is spoken"
ask "$url/v1/chat/completions" -d '{"model": "gpt-4o-mini", "modalities": ["text", "audio"], "max_tokens": 20,
  "audio": {"voice": "alloy", "format": "mp3"}, "messages": [{"role": "user", "content": "Good evening."}]}'
