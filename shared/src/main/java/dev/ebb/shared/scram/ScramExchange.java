package dev.ebb.shared.scram;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import dev.ebb.shared.model.Names;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The server's side of one SCRAM-SHA-256 exchange, over TLS with channel binding where the client
 * can: first {@link #first}, then {@link #last}, each once. See RFC 5802 and PostgreSQL's {@code
 * auth-scram.c}; as there, the user name inside the exchange is ignored, that of the startup packet
 * counts.
 *
 * <p>A <em>doomed</em> exchange looks the same from outside and always ends in a refusal: nobody
 * learns from it which roles exist.
 */
public final class ScramExchange {
  /** The mechanism that is always offered. */
  public static final String MECHANISM = "SCRAM-SHA-256";

  /** The same with channel binding. */
  public static final String MECHANISM_PLUS = "SCRAM-SHA-256-PLUS";

  private static final ScramMechanism SHA_256 = ScramMechanism.SCRAM_SHA_256;
  private static final int KEY_BYTES = 32;
  private static final String PRINTABLE = "[\\x21-\\x2B\\x2D-\\x7E]+";
  private static final Pattern FIRST =
      Pattern.compile(
          "(?<flag>n|y|p=(?<type>[^,]*)),(?<identity>a=[^,]*)?,(?<bare>n=[^,]*,r=(?<nonce>"
              + PRINTABLE
              + ")(?:,.*)?)");
  private static final Pattern LAST =
      Pattern.compile("(c=([A-Za-z0-9+/=]+),r=(" + PRINTABLE + ")(?:,.*)?),p=([A-Za-z0-9+/=]+)");

  private final ScramVerifier verifier;
  private final boolean doomed;
  private final Supplier<String> nonces;
  private final @Nullable EndPointBinding binding;
  private @Nullable Sent sent;

  /** What the second step refers to. */
  private record Sent(
      byte[] bindingInput,
      boolean isBound,
      String clientFirstBare,
      String nonce,
      String serverFirst) {}

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
   * One without channel binding.
   *
   * @param nonces the server's part of the nonce, unpredictable and printable without commas
   */
  public ScramExchange(ScramVerifier verifier, boolean doomed, Supplier<String> nonces) {
    this(verifier, doomed, nonces, null);
  }

  /**
   * One that may be bound to its connection.
   *
   * @param binding to the TLS connection that the exchange is on; null where there is none to bind
   *     to
   */
  public ScramExchange(
      ScramVerifier verifier,
      boolean doomed,
      Supplier<String> nonces,
      @Nullable EndPointBinding binding) {
    this.verifier = verifier;
    this.doomed = doomed;
    this.nonces = nonces;
    this.binding = binding;
  }

  /** What is offered, best first. */
  public List<String> mechanisms() {
    return binding == null ? List.of(MECHANISM) : List.of(MECHANISM_PLUS, MECHANISM);
  }

  /** The same for the mechanism without channel binding. */
  public String first(String clientFirst) {
    return first(MECHANISM, clientFirst);
  }

  /**
   * Answers client-first-message with server-first-message.
   *
   * @param mechanism the one that the client chose
   * @throws ScramViolation where the message is malformed, asks for what is not offered, or shows
   *     that somebody took the offer of channel binding away on its way to the client
   */
  public String first(String mechanism, String clientFirst) {
    if (sent != null) {
      throw new IllegalStateException("the exchange has begun");
    }
    if (!mechanisms().contains(mechanism)) {
      throw new ScramViolation("client selected an invalid SASL authentication mechanism");
    }
    Matcher parts = FIRST.matcher(clientFirst);
    if (!parts.matches()) {
      throw new ScramViolation("malformed SCRAM message");
    }
    String flag = parts.group("flag");
    boolean isBound = mechanism.equals(MECHANISM_PLUS);
    judgeFlag(flag, parts.group("type"), isBound);
    if (parts.group("identity") != null) {
      throw new ScramViolation("the client asks for an authorization identity: not supported");
    }
    String nonce = parts.group("nonce") + nonces.get();
    String serverFirst = "r=" + nonce + ",s=" + salt() + ",i=" + verifier.iterations();
    byte[] header = ascii(flag + ",,");
    byte[] input = isBound && binding != null ? concatenated(header, binding.hash()) : header;
    sent = new Sent(input, isBound, parts.group("bare"), nonce, serverFirst);
    return serverFirst;
  }

  /**
   * @param type of channel binding, null where the client binds to none
   */
  private void judgeFlag(String flag, @Nullable String type, boolean isBound) {
    if (type != null) {
      if (!isBound) {
        throw new ScramViolation(
            "malformed SCRAM message: the client selected SCRAM-SHA-256 without channel binding,"
                + " but its message has it");
      }
      if (!type.equals(EndPointBinding.TYPE)) {
        throw new ScramViolation(
            "unsupported SCRAM channel-binding type \"" + Names.printable(type) + "\"");
      }
      return;
    }
    if (isBound) {
      throw new ScramViolation(
          "malformed SCRAM message: the client selected SCRAM-SHA-256-PLUS, but its message does"
              + " not include channel binding data");
    }
    if (flag.equals("y") && binding != null) {
      throw ScramViolation.refused(
          "SCRAM channel binding negotiation error: the client supports SCRAM channel binding but"
              + " thinks the server does not, which it does");
    }
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
    if (!MessageDigest.isEqual(decode(parts.group(2)), first.bindingInput())) {
      throw first.isBound()
          ? ScramViolation.refused("SCRAM channel binding check failed")
          : new ScramViolation("unexpected SCRAM channel-binding attribute");
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

  private static byte[] concatenated(byte[] a, byte[] b) {
    byte[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
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
