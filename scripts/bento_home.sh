#!/bin/sh
# Run as root while `bentoml containerize` makes the image: a volume that is mounted there for the first time belongs to who serves.
exec install -d -o bentoml -g bentoml /home/bentoml/fireside
