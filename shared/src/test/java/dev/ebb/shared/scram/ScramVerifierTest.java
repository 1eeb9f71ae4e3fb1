package dev.ebb.shared.scram;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ScramVerifierTest {
  private static final Secret PENCIL = new Secret("pencil");

  /** Salt, password and rounds of the example in RFC 7677, keys by the JDK's own primitives. */
  @Test
  void keysAreThoseOfTheRfc() throws Exception {
    byte[] salt = Base64.getDecoder().decode("W22ZaJ0SNY7soEsUEjb6gQ==");
    byte[] salted =
        SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
            .generateSecret(new PBEKeySpec("pencil".toCharArray(), salt, 4096, 256))
            .getEncoded();
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(salted, "HmacSHA256"));
    assertThat(ScramVerifier.of(PENCIL, salt, 4096).serverKey())
        .isEqualTo(mac.doFinal("Server Key".getBytes(java.nio.charset.StandardCharsets.US_ASCII)));
  }

  @Test
  void storedFormIsParsedBackAndMatchesItsPasswordOnly() {
    ScramVerifier verifier = ScramVerifier.of(PENCIL);
    ScramVerifier again = ScramVerifier.parse(verifier.stored());
    assertThat(again).isEqualTo(verifier).hasSameHashCodeAs(verifier);
    assertThat(again.matches(PENCIL)).isTrue();
    assertThat(again.matches(new Secret("Pencil"))).isFalse();
    assertThat(ScramVerifier.of(PENCIL)).isNotEqualTo(verifier);
    assertThat(verifier).hasToString("***");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "pencil",
        "md55f4dcc3b5aa765d61d8327deb882cf99",
        "SCRAM-SHA-256$4096:!!!$AAAA:AAAA",
        "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$0:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$99999999999:AAAA$AAAA:AAAA",
        "SCRAM-SHA-256$4096:A$A:A"
      })
  void anythingElseIsRefusedWithoutRepeatingIt(String stored) {
    assertThatThrownBy(() -> ScramVerifier.parse(new Secret(stored)))
        .isInstanceOf(EbbException.Invalid.class)
        .hasMessage("a stored password is not a SCRAM-SHA-256 verifier")
        .hasNoCause();
  }
}
