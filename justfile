# Names for the commands that matter; each works without `just` too.

check:
    cargo check --workspace --all-targets

test *args:
    ./test {{args}}

lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

run:
    cargo run --release -- up

bench *args:
    cargo bench --bench stationmaster -- {{args}}

ci:
    .ci/run
