#!/bin/sh
# The comparison that IMU2Music set out to make: encoders of motion on the same recordings, splits, steps and seeds,
# with and without a decoder pretrained on music alone. Every run and evaluation is kept in OUT, so that the script
# goes on where it stopped; the table is written in the end (and by itself with `compare_table OUT`).
#
#   make configure-bench && cmake --build build --target imu2music_program compare_table
#   benchmarks/compare_encoders.sh VIOLIN_SOURCE MUSIC_SOURCE… -- OUT
#
# Environment: PROGRAM (build/imu2music), TABLE (build/benchmarks/compare_table), SPLIT (performer:s4), SEEDS ("1 2 3"),
# STEPS (300), PRETRAIN_STEPS (400), ENCODERS, THREADS (2).
set -eu
here=$(dirname "$0")
PROGRAM=${PROGRAM:-$here/../build/imu2music}
TABLE=${TABLE:-$here/../build/benchmarks/compare_table}
SPLIT=${SPLIT:-performer:s4}
SEEDS=${SEEDS:-1 2 3}
STEPS=${STEPS:-300}
PRETRAIN_STEPS=${PRETRAIN_STEPS:-400}
ENCODERS=${ENCODERS:-conv fully_connected frequency conv_transformer lstm temporal}
THREADS=${THREADS:-2}

if [ $# -lt 4 ]; then
  echo "usage: $0 VIOLIN_SOURCE MUSIC_SOURCE... -- OUT" >&2
  exit 2
fi
for built in "$PROGRAM" "$TABLE"; do
  [ -x "$built" ] || { echo "$built is not there: build it first, as this script's first lines say" >&2; exit 2; }
done
violin=$1
shift
music=""
while [ "$1" != "--" ]; do
  music="$music $1"
  shift
  if [ $# -lt 2 ]; then
    echo "usage: $0 VIOLIN_SOURCE MUSIC_SOURCE... -- OUT" >&2
    exit 2
  fi
done
out=$2
mkdir -p "$out"

[ -d "$out/violin" ] || "$PROGRAM" prepare "$violin" -o "$out/violin" --align-performers > "$out/violin.txt"
# shellcheck disable=SC2086  # one word a source
[ -d "$out/music" ] || "$PROGRAM" prepare $music -o "$out/music" > "$out/music.txt"

# All models: 128 wide, 4 heads, 2 decoder layers, 332 ids, windows of 6 s.
model() {
  common='"d_model": 128, "heads": 4, "decoder_layers": 2, "max_sequence": 256, "vocabulary": 332'
  case $1 in
    temporal) echo "\"encoder\": \"temporal\", \"encoder_layers\": 0, \"time_positions\": true, \"lookback_ms\": 600, \"lookahead_ms\": 600, $common" ;;
    lstm) echo "\"model\": \"lstm_seq2seq\", \"encoder\": \"conv\", \"encoder_layers\": 2, $common" ;;
    conv_transformer) echo "\"encoder\": \"conv_transformer\", \"encoder_layers\": 1, \"d_model\": 16, \"heads\": 2, \"decoder_layers\": 1, \"max_sequence\": 256, \"vocabulary\": 332" ;;
    *) echo "\"encoder\": \"$1\", \"encoder_layers\": 2, $common" ;;
  esac
}
training='"batch": 16, "optimizer": "adamw", "weight_decay": 0.01, "learning_rate": 1e-3, "schedule": "cosine", "warmup_steps": 40, "clip_norm": 1, "dropout": 0.1, "encoder_dropout": 0.1, "log_every": 20'

# run NAME CONFIG OPTIONS…: trains unless it is done, going on where it stopped.
run() {
  name=$1
  config=$2
  shift 2
  [ -f "$out/$name.done" ] && return 0
  printf '%s\n' "$config" > "$out/$name.json"
  resume=""
  [ -f "$out/$name/state.safetensors" ] && resume="--resume"
  if [ -n "$resume" ]; then
    "$PROGRAM" train "$out/$name.json" -o "$out/$name" --threads "$THREADS" --data "$1" --split "$2" ${SENSORS:+--sensors "$SENSORS"} --resume --json > "$out/$name.train.json"
  else
    rm -rf "${out:?}/$name"
    data=$1
    split=$2
    shift 2
    "$PROGRAM" train "$out/$name.json" -o "$out/$name" --threads "$THREADS" --data "$data" --split "$split" ${SENSORS:+--sensors "$SENSORS"} "$@" --json > "$out/$name.train.json"
  fi
  touch "$out/$name.done"
}

# Decoders that are alike begin from one pretraining, of the first seed.
decoder() {
  case $1 in
    temporal | conv_transformer) echo "$1" ;;
    *) echo conv ;;
  esac
}

# Seeds without, so that a script that was stopped has whole rows of fewer seeds.
for seed in $SEEDS; do
  for encoder in $ENCODERS; do
    # Reference encoders hear two armbands with three quantities each: the one armband stands for both, and its Euler
    # angles for the rotation.
    SENSORS=""
    [ "$encoder" = temporal ] || SENSORS="myo1=myo,myo2=myo"
    for start in fresh pretrained; do
      begin=""
      if [ $start = pretrained ]; then
        # The LSTM has no decoder that music alone could teach.
        [ "$encoder" = lstm ] && continue
        sensors=$SENSORS
        SENSORS=""
        music_only=$(decoder "$encoder")
        run "pretrain-$music_only" "{\"model\": {$(model "$music_only")}, \"training\": {$training, \"steps\": $PRETRAIN_STEPS, \"validate_every\": $PRETRAIN_STEPS, \"seed\": 1, \"transpose_semitones\": 5}}" "$out/music" all
        SENSORS=$sensors
        begin="--init-from $out/pretrain-$music_only/best.safetensors --only decoder"
      fi
      augmentation=""
      [ "$encoder" = temporal ] && augmentation=', "rotation_degrees": 15, "gain": 0.15, "noise": 0.05'
      name="$encoder-$start-$seed"
      # shellcheck disable=SC2086  # options and their values
      run "$name" "{\"model\": {$(model "$encoder")}, \"training\": {$training$augmentation, \"steps\": $STEPS, \"validate_every\": 50, \"checkpoint_every\": 50, \"seed\": $seed}}" "$out/violin" "$SPLIT" $begin
      if [ ! -f "$out/$name.evaluation.json" ]; then
        "$PROGRAM" evaluate --weights "$out/$name/best.safetensors" --data "$out/violin" --split "$SPLIT" --threads "$THREADS" --windows-per-recording 6 \
          ${SENSORS:+--sensors "$SENSORS"} --json > "$out/$name.evaluation.json.part"
        mv "$out/$name.evaluation.json.part" "$out/$name.evaluation.json"
      fi
    done
  done
done
"$TABLE" "$out" | tee "$out/table.md"
