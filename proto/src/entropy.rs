//! Fresh randomness that comes into a core with its input, drawn by the driver from the operating system's generator.
//!
//! A core must not keep a generator over inputs: a restart could repeat it. Here it gets a new seed with every input.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

/// Randomness for the handling of one input.
pub struct Entropy(ChaCha20Rng);

impl Entropy {
    /// Takes 32 bytes from the operating system's generator; in the simulator, from the run's seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Bytes that were never given before.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A fresh secret of 32 bytes, wiped when dropped.
    pub fn secret(&mut self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.bytes())
    }

    /// The generator, for libraries that take one.
    pub(crate) fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.0
    }
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entropy")
    }
}
