//! Tests of the whole workspace; see `it/`. Nothing is built from here.
