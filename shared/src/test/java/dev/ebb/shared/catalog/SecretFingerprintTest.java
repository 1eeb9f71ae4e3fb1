package dev.ebb.shared.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

final class SecretFingerprintTest {
  private static final Secret SECRET = new Secret("a secret of the cluster");

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final SecretFingerprint fingerprint = new SecretFingerprint(store);

  private String stored() {
    return new String(
        store.get(SecretFingerprint.KEY).orElseThrow().content(), StandardCharsets.US_ASCII);
  }

  @Test
  void firstSecretIsTheStoresFromThenOn() {
    assertThat(fingerprint.matches(SECRET)).isTrue();
    assertThat(fingerprint.matches(SECRET)).isTrue();
    assertThat(fingerprint.matches(new Secret("another secret of a cluster"))).isFalse();
    assertThat(fingerprint.matches(SECRET)).as("a wrong one leaves nothing behind").isTrue();
  }

  @Test
  void storeDoesNotHoldTheSecret() {
    fingerprint.matches(SECRET);
    assertThat(stored()).doesNotContain(SECRET.reveal()).matches("1 [0-9a-f]{64}\n");
  }

  @Test
  void whatIsNoFingerprintIsCorruptAndStays() {
    for (String content : new String[] {"", "1 abc", "2 " + "0".repeat(64) + "\n"}) {
      store.put(SecretFingerprint.KEY, content.getBytes(StandardCharsets.US_ASCII));
      assertThatThrownBy(() -> fingerprint.matches(SECRET))
          .isInstanceOf(EbbException.Corrupt.class)
          .hasMessageContaining(SecretFingerprint.KEY);
      assertThat(stored()).isEqualTo(content);
    }
  }
}
