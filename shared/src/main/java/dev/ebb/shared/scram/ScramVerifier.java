package dev.ebb.shared.scram;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import com.ongres.scram.common.StringPreparation;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a server keeps of a password: {@code SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey}.
 * Sources: RFC 5802; PostgreSQL's {@code src/common/scram-common.c} and {@code
 * src/backend/libpq/auth-scram.c}.
 *
 * @param iterations of PBKDF2
 * @param salt random
 * @param storedKey H(ClientKey)
 * @param serverKey HMAC(SaltedPassword, "Server Key")
 */
public record ScramVerifier(int iterations, byte[] salt, byte[] storedKey, byte[] serverKey) {
  /** PostgreSQL's default ({@code scram_iterations}). */
  public static final int DEFAULT_ITERATIONS = 4096;

  private static final int SALT_BYTES = 16;
  private static final int KEY_BYTES = 32;
  private static final Pattern FORM =
      Pattern.compile(
          "SCRAM-SHA-256\\$(\\d{1,9}):([A-Za-z0-9+/=]+)\\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)");
  private static final SecureRandom RANDOM = new SecureRandom();

  /** Makes one with a new salt. */
  public static ScramVerifier of(Secret password) {
    byte[] salt = new byte[SALT_BYTES];
    RANDOM.nextBytes(salt);
    return of(password, salt, DEFAULT_ITERATIONS);
  }

  /** Makes the one that this salt and number of iterations give. */
  public static ScramVerifier of(Secret password, byte[] salt, int iterations) {
    byte[] salted =
        ScramFunctions.saltedPassword(
            ScramMechanism.SCRAM_SHA_256,
            StringPreparation.POSTGRESQL_PREPARATION,
            password.reveal().toCharArray(),
            salt,
            iterations);
    byte[] clientKey = ScramFunctions.clientKey(ScramMechanism.SCRAM_SHA_256, salted);
    return new ScramVerifier(
        iterations,
        salt.clone(),
        ScramFunctions.storedKey(ScramMechanism.SCRAM_SHA_256, clientKey),
        ScramFunctions.serverKey(ScramMechanism.SCRAM_SHA_256, salted));
  }

  /**
   * Parses the stored form.
   *
   * @throws EbbException.Invalid where it is not one (an MD5 hash, a plain password); the message
   *     does not repeat it
   */
  public static ScramVerifier parse(Secret stored) {
    Matcher matcher = FORM.matcher(stored.reveal());
    if (matcher.matches()) {
      try {
        Base64.Decoder base64 = Base64.getDecoder();
        var verifier =
            new ScramVerifier(
                Integer.parseInt(matcher.group(1)),
                base64.decode(matcher.group(2)),
                base64.decode(matcher.group(3)),
                base64.decode(matcher.group(4)));
        if (verifier.iterations > 0
            && verifier.storedKey.length == KEY_BYTES
            && verifier.serverKey.length == KEY_BYTES) {
          return verifier;
        }
      } catch (IllegalArgumentException e) {
        // Its message may quote the secret: say no more than that it is none.
      }
    }
    throw new EbbException.Invalid("a stored password is not a SCRAM-SHA-256 verifier");
  }

  /** The stored form, as {@code pg_authid.rolpassword} has it. */
  public Secret stored() {
    Base64.Encoder base64 = Base64.getEncoder();
    return new Secret(
        "SCRAM-SHA-256$"
            + iterations
            + ":"
            + base64.encodeToString(salt)
            + "$"
            + base64.encodeToString(storedKey)
            + ":"
            + base64.encodeToString(serverKey));
  }

  /** Whether this password gives these keys; in constant time. */
  public boolean matches(Secret password) {
    return MessageDigest.isEqual(of(password, salt, iterations).storedKey, storedKey);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof ScramVerifier that
        && iterations == that.iterations
        && Arrays.equals(salt, that.salt)
        && MessageDigest.isEqual(storedKey, that.storedKey)
        && MessageDigest.isEqual(serverKey, that.serverKey);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(salt);
  }

  /** Tells nothing: a verifier is enough to impersonate the server. */
  @Override
  public String toString() {
    return "***";
  }
}
