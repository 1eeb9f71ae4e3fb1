package dev.ebb.gateway.auth;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.EndPointBinding;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramVerifier;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Decides which verifier a login is judged by, and whether it can succeed at all. */
public final class LoginRules {
  private static final int SALT_BYTES = 16;
  private static final int NONCE_CHARS = 24;

  private final byte[] mockSecret;
  private final SecureRandom random;
  private final Clock clock;

  /**
   * @param mockSecret what the salts of roles that cannot log in are derived from: the same at
   *     every start, or an observer could tell them from real ones
   */
  public LoginRules(byte[] mockSecret, SecureRandom random, Clock clock) {
    this.mockSecret = mockSecret.clone();
    this.random = random;
    this.clock = clock;
  }

  /** Whether nobody may log in under this name, whatever the database says. */
  public static boolean isReserved(String role) {
    return role.startsWith("ebb_") || role.startsWith("pg_");
  }

  /**
   * The exchange for a login.
   *
   * @param found the role, or null where there is none
   * @param binding to the TLS connection, null where there is none
   */
  public ScramExchange exchange(
      BranchId branch, String role, @Nullable RoleState found, @Nullable EndPointBinding binding) {
    Optional<ScramVerifier> verifier =
        found == null || found.verifier() == null ? Optional.empty() : parse(found.verifier());
    boolean allowed =
        found != null
            && found.canLogin()
            && found.validUntilEpochMs() > clock.millis()
            && !isReserved(role);
    return allowed && verifier.isPresent()
        ? new ScramExchange(verifier.get(), false, this::nonce, binding)
        : new ScramExchange(mock(branch, role), true, this::nonce, binding);
  }

  /** Empty where the role's password is kept in another form, such as MD5. */
  private static Optional<ScramVerifier> parse(Secret stored) {
    try {
      return Optional.of(ScramVerifier.parse(stored));
    } catch (EbbException.Invalid e) {
      return Optional.empty();
    }
  }

  /** An unpredictable nonce of printable characters. */
  public String nonce() {
    return ScramFunctions.nonce(NONCE_CHARS, random);
  }

  private ScramVerifier mock(BranchId branch, String role) {
    byte[] seed = (branch + "\0" + role).getBytes(StandardCharsets.UTF_8);
    byte[] derived = ScramFunctions.hmac(ScramMechanism.SCRAM_SHA_256, seed, mockSecret);
    byte[] salt = Arrays.copyOf(derived, SALT_BYTES);
    return new ScramVerifier(ScramVerifier.DEFAULT_ITERATIONS, salt, derived, derived);
  }
}
