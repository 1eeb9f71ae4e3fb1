package dev.ebb.shared.scram;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of one SCRAM-SHA-256 exchange without channel binding: first {@link #first},
 * then {@link #last}, each once. See RFC 5802 and PostgreSQL's {@code auth-scram.c}; as there, the
 * user name inside the exchange is ignored, that of the startup packet counts.
 *
 * <p>A <em>doomed</em> exchange looks the same from outside and always ends in a refusal: nobody
 * learns from it which roles exist.
 */
public final class ScramExchange {
  /** The one mechanism that is offered. */
  public static final String MECHANISM = "SCRAM-SHA-256";

  private static final ScramMechanism SHA_256 = ScramMechanism.SCRAM_SHA_256;
  private static final int KEY_BYTES = 32;
  private static final String PRINTABLE = "[\\x21-\\x2B\\x2D-\\x7E]+";
  private static final Pattern FIRST =
      Pattern.compile("([nyp])(?:=[^,]*)?,(a=[^,]*)?,(n=[^,]*,r=(" + PRINTABLE + ")(?:,.*)?)");
  private static final Pattern LAST =
      Pattern.compile("(c=([A-Za-z0-9+/=]+),r=(" + PRINTABLE + ")(?:,.*)?),p=([A-Za-z0-9+/=]+)");

  private final ScramVerifier verifier;
  private final boolean doomed;
  private final Supplier<String> nonces;
  private @Nullable Sent sent;

  /** What the second step refers to. */
  private record Sent(String gs2Header, String clientFirstBare, String nonce, String serverFirst) {}

  /** How an exchange ended. */
  public sealed interface Outcome {}

  /** The client knows the password. */
  public record Proven(String serverFinal, ScramKeys keys) implements Outcome {
    @Override
    public String toString() {
      return "Proven[***]";
    }
  }

  /** It does not, or must not log in. */
  public record Rejected() implements Outcome {}

  /**
   * @param nonces the server's part of the nonce, unpredictable and printable without commas
   */
  public ScramExchange(ScramVerifier verifier, boolean doomed, Supplier<String> nonces) {
    this.verifier = verifier;
    this.doomed = doomed;
    this.nonces = nonces;
  }

  /**
   * Answers client-first-message with server-first-message.
   *
   * @throws ScramViolation where the message is malformed or asks for what is not offered
   */
  public String first(String clientFirst) {
    if (sent != null) {
      throw new IllegalStateException("the exchange has begun");
    }
    Matcher parts = FIRST.matcher(clientFirst);
    if (!parts.matches()) {
      throw new ScramViolation("malformed SCRAM message");
    }
    if (parts.group(1).equals("p")) {
      throw new ScramViolation(
          "the client selected SCRAM-SHA-256 without channel binding, but its message has it");
    }
    if (parts.group(2) != null) {
      throw new ScramViolation("the client asks for an authorization identity: not supported");
    }
    String nonce = parts.group(4) + nonces.get();
    String serverFirst = "r=" + nonce + ",s=" + salt() + ",i=" + verifier.iterations();
    sent = new Sent(parts.group(1) + ",,", parts.group(3), nonce, serverFirst);
    return serverFirst;
  }

  /**
   * Judges client-final-message.
   *
   * @throws ScramViolation where it is malformed
   */
  public Outcome last(String clientFinal) {
    Sent first = sent;
    if (first == null) {
      throw new IllegalStateException("the exchange has not begun");
    }
    Matcher parts = LAST.matcher(clientFinal);
    if (!parts.matches()) {
      throw new ScramViolation("malformed SCRAM message");
    }
    byte[] binding = decode(parts.group(2));
    if (!MessageDigest.isEqual(binding, ascii(first.gs2Header()))) {
      throw new ScramViolation("unexpected SCRAM channel-binding attribute");
    }
    if (!parts.group(3).equals(first.nonce())) {
      throw new ScramViolation("invalid SCRAM response: the nonce does not match");
    }
    byte[] proof = decode(parts.group(4));
    if (proof.length != KEY_BYTES) {
      throw new ScramViolation("malformed SCRAM message: the proof has a wrong length");
    }
    String authMessage = first.clientFirstBare() + "," + first.serverFirst() + "," + parts.group(1);
    return judge(proof, authMessage);
  }

  private Outcome judge(byte[] proof, String authMessage) {
    byte[] signature = ScramFunctions.clientSignature(SHA_256, verifier.storedKey(), authMessage);
    byte[] clientKey = xor(proof, signature);
    boolean matches =
        MessageDigest.isEqual(ScramFunctions.hash(SHA_256, clientKey), verifier.storedKey());
    String serverFinal =
        "v="
            + Base64.getEncoder()
                .encodeToString(
                    ScramFunctions.serverSignature(SHA_256, verifier.serverKey(), authMessage));
    return matches && !doomed
        ? new Proven(
            serverFinal,
            new ScramKeys(clientKey, verifier.serverKey(), salt(), verifier.iterations()))
        : new Rejected();
  }

  private String salt() {
    return Base64.getEncoder().encodeToString(verifier.salt());
  }

  private static byte[] xor(byte[] a, byte[] b) {
    var result = new byte[a.length];
    for (int i = 0; i < a.length; i++) {
      result[i] = (byte) (a[i] ^ b[i]);
    }
    return result;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] decode(String base64) {
    try {
      return Base64.getDecoder().decode(base64);
    } catch (IllegalArgumentException e) {
      throw new ScramViolation("malformed SCRAM message: not Base64");
    }
  }
}
