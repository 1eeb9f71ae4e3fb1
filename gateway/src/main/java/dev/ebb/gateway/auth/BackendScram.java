package dev.ebb.gateway.auth;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import dev.ebb.shared.scram.ScramKeys;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of a SCRAM-SHA-256 exchange with a compute, with keys in place of a password:
 * computes hold the very verifier that the gateway judged the client by. First {@link #first}, then
 * {@link #last}, then {@link #isServerProven}.
 */
public final class BackendScram {
  private static final ScramMechanism SHA_256 = ScramMechanism.SCRAM_SHA_256;
  private static final String GS2_HEADER = "n,,";
  private static final Pattern SERVER_FIRST =
      Pattern.compile("r=([\\x21-\\x2B\\x2D-\\x7E]+),s=([A-Za-z0-9+/=]+),i=(\\d{1,9})(?:,.*)?");

  private final ScramKeys keys;
  private final String nonce;
  private @Nullable String authMessage;

  public BackendScram(ScramKeys keys, Supplier<String> nonces) {
    this.keys = keys;
    this.nonce = nonces.get();
  }

  /** client-first-message; the name is empty as libpq's is. */
  public String first() {
    return GS2_HEADER + bare();
  }

  private String bare() {
    return "n=,r=" + nonce;
  }

  /**
   * client-final-message, or null where the compute has another salt or iteration count: the
   * password was changed since the client proved that it knew it.
   *
   * @throws IllegalArgumentException where the compute's message makes no sense
   */
  public @Nullable String last(String serverFirst) {
    Matcher parts = SERVER_FIRST.matcher(serverFirst);
    if (!parts.matches() || !parts.group(1).startsWith(nonce)) {
      throw new IllegalArgumentException("the compute sent a malformed SCRAM message");
    }
    if (!parts.group(2).equals(keys.salt())
        || Integer.parseInt(parts.group(3)) != keys.iterations()) {
      return null;
    }
    String withoutProof =
        "c=" + Base64.getEncoder().encodeToString(ascii(GS2_HEADER)) + ",r=" + parts.group(1);
    authMessage = bare() + "," + serverFirst + "," + withoutProof;
    byte[] storedKey = ScramFunctions.hash(SHA_256, keys.clientKey());
    byte[] proof =
        ScramFunctions.clientProof(
            keys.clientKey(), ScramFunctions.clientSignature(SHA_256, storedKey, authMessage));
    return withoutProof + ",p=" + Base64.getEncoder().encodeToString(proof);
  }

  /** Whether server-final-message shows that the compute has the verifier too. */
  public boolean isServerProven(String serverFinal) {
    if (authMessage == null) {
      return false;
    }
    byte[] signature = ScramFunctions.serverSignature(SHA_256, keys.serverKey(), authMessage);
    String expected = "v=" + Base64.getEncoder().encodeToString(signature);
    return MessageDigest.isEqual(ascii(expected), ascii(serverFinal));
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
