//! The journal against a reference, against every torn byte and flipped bit, and on the file system.

mod damage;
mod frozen;
mod model;
mod os;
mod rig;
mod torn;
mod view;
