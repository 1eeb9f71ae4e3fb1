package dev.ebb.shared.scram;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.security.spec.PSSParameterSpec;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The channel binding {@code tls-server-end-point}: a hash of the certificate that a server showed,
 * by which its client proves that it sees the same one. See RFC 5929, section 4, and {@code
 * be_tls_get_certificate_hash} in PostgreSQL's {@code be-secure-openssl.c}.
 */
public final class EndPointBinding {
  /** Its name in SCRAM. */
  public static final String TYPE = "tls-server-end-point";

  private static final Pattern HASH_IN_NAME = Pattern.compile("(MD5|SHA-?\\d+(?:[-/]\\d+)?)WITH.*");

  private final byte[] hash;

  private EndPointBinding(byte[] hash) {
    this.hash = hash;
  }

  /**
   * Of a certificate: hashed by what it is signed with, but MD5 and SHA-1, for which it is SHA-256.
   * Empty where the signature's algorithm names no hash, as Ed25519 does: no client can know which
   * one to take then.
   */
  public static Optional<EndPointBinding> of(X509Certificate certificate) {
    try {
      String hash = hashOf(certificate);
      return hash == null
          ? Optional.empty()
          : Optional.of(
              new EndPointBinding(
                  MessageDigest.getInstance(hash).digest(certificate.getEncoded())));
    } catch (GeneralSecurityException e) {
      return Optional.empty();
    }
  }

  private static @Nullable String hashOf(X509Certificate certificate)
      throws GeneralSecurityException {
    String algorithm = certificate.getSigAlgName().toUpperCase(Locale.ROOT);
    if (algorithm.equals("RSASSA-PSS")) {
      return hashOfPss(certificate);
    }
    Matcher named = HASH_IN_NAME.matcher(algorithm);
    return named.matches() ? strongEnough(named.group(1)) : null;
  }

  private static @Nullable String hashOfPss(X509Certificate certificate)
      throws GeneralSecurityException {
    byte[] encoded = certificate.getSigAlgParams();
    if (encoded == null) {
      return null;
    }
    try {
      var parameters = java.security.AlgorithmParameters.getInstance("RSASSA-PSS");
      parameters.init(encoded);
      return strongEnough(parameters.getParameterSpec(PSSParameterSpec.class).getDigestAlgorithm());
    } catch (java.io.IOException e) {
      return null;
    }
  }

  /** A hash's name as Java has it. */
  private static String strongEnough(String hash) {
    String upper = hash.toUpperCase(Locale.ROOT);
    String named =
        upper.startsWith("SHA") && !upper.contains("-") ? "SHA-" + upper.substring(3) : upper;
    return named.equals("MD5") || named.equals("SHA-1") ? "SHA-256" : named;
  }

  /** The hash itself. */
  public byte[] hash() {
    return hash.clone();
  }
}
