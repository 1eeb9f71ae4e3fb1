package dev.ebb.gateway.auth;

import com.ongres.scram.common.ScramFunctions;
import com.ongres.scram.common.ScramMechanism;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.DatabaseAccess;
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
        found != null && found.validUntilEpochMs() > clock.millis() && !isReserved(role);
    return allowed && verifier.isPresent()
        ? new ScramExchange(verifier.get(), false, this::nonce, binding)
        : new ScramExchange(mock(branch, role), true, this::nonce, binding);
  }

  /**
   * What keeps a role out that has proven its password, as far as that is known without asking a
   * compute: in PostgreSQL's words and its order, {@code InitializeSessionUserId} in {@code
   * miscinit.c} and then {@code CheckMyDatabase} in {@code postinit.c}. The compute judges again.
   *
   * @param access null where the database is open to everybody
   */
  public static Optional<ErrorResponse> refusal(RoleState role, @Nullable DatabaseAccess access) {
    if (!role.canLogin()) {
      return fatal(
          SqlState.INVALID_AUTHORIZATION,
          "role \"" + role.name() + "\" is not permitted to log in");
    }
    if (role.connectionLimit() == 0 && !role.superuser()) {
      return fatal(
          SqlState.TOO_MANY_CONNECTIONS, "too many connections for role \"" + role.name() + "\"");
    }
    return access == null ? Optional.empty() : refusalOfDatabase(role, access);
  }

  private static Optional<ErrorResponse> refusalOfDatabase(RoleState role, DatabaseAccess access) {
    String database = "database \"" + access.database() + "\"";
    if (!access.allowsConnections()) {
      return fatal(
          SqlState.OBJECT_NOT_IN_PREREQUISITE_STATE,
          database + " is not currently accepting connections");
    }
    if (role.superuser()) {
      return Optional.empty();
    }
    if (access.refused().contains(role.name())) {
      return fatal(SqlState.INSUFFICIENT_PRIVILEGE, "permission denied for " + database)
          .map(error -> error.withDetail("User does not have CONNECT privilege."));
    }
    return access.connectionLimit() == 0
        ? fatal(SqlState.TOO_MANY_CONNECTIONS, "too many connections for " + database)
        : Optional.empty();
  }

  private static Optional<ErrorResponse> fatal(String sqlState, String message) {
    return Optional.of(ErrorResponse.fatal(sqlState, message));
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
