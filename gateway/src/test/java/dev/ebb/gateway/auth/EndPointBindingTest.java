package dev.ebb.gateway.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.Certificates;
import dev.ebb.shared.scram.EndPointBinding;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EndPointBindingTest {
  @ParameterizedTest
  @CsvSource({
    "SHA256withECDSA,SHA-256",
    "SHA384withECDSA,SHA-384",
    "SHA512withECDSA,SHA-512",
    "SHA1withRSA,SHA-256",
    "SHA224withRSA,SHA-224",
    "SHA384withRSA,SHA-384",
    "SHA256withRSAandMGF1,SHA-256",
    "SHA512withRSAandMGF1,SHA-512",
    "SHA3-256withECDSA,SHA3-256"
  })
  void certificateIsHashedByWhatItIsSignedWith(String signature, String hash) throws Exception {
    X509Certificate certificate = Certificates.selfSigned(signature).certificate();
    assertThat(EndPointBinding.of(certificate).orElseThrow().hash())
        .isEqualTo(MessageDigest.getInstance(hash).digest(certificate.getEncoded()));
  }

  @Test
  void signatureThatNamesNoHashHasNoBinding() {
    assertThat(EndPointBinding.of(Certificates.selfSigned("Ed25519").certificate())).isEmpty();
  }
}
