package dev.ebb.gateway.console;

import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.EndPointBinding;
import dev.ebb.shared.scram.ScramExchange;
import dev.ebb.shared.scram.ScramVerifier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who may use the console, and under which name it is reached. For any thread.
 *
 * <p>The role is one that no client of a database may log in as, and only together with the
 * database's name does it lead here: nobody's own database is hidden.
 */
public final class Console {
  public static final String ROLE = "ebb_admin";
  public static final String DATABASE = "ebb";

  /** What successful logins are remembered under: no database can be called so. */
  public static final String LIMIT_KEY = "(console)";

  /** Drivers want a PostgreSQL's version, as a number that they know. */
  static final String SERVER_VERSION = "18.0 (Ebb console)";

  static final String VERSION = version();

  private final ScramVerifier verifier;
  private final ConsoleCommands commands;

  /**
   * @param password slow to take in: not for an event loop
   */
  public Console(Secret password, GatewayView gateway) {
    this.verifier = ScramVerifier.of(password);
    this.commands = new ConsoleCommands(gateway);
  }

  private static String version() {
    String version = Console.class.getPackage().getImplementationVersion();
    return version == null ? "Ebb" : "Ebb " + version;
  }

  /** Whether a startup packet asks for the console. */
  public static boolean isMeant(@Nullable String role, @Nullable String database) {
    return ROLE.equals(role) && DATABASE.equals(database);
  }

  /**
   * The exchange in which the password is proven.
   *
   * @param binding to the TLS connection; null where there is none
   */
  public ScramExchange exchange(Supplier<String> nonces, @Nullable EndPointBinding binding) {
    return new ScramExchange(verifier, false, nonces, binding);
  }

  /** A session of somebody who has proven it. */
  public ConsoleSession open(ConsoleSession.Client client) {
    return new ConsoleSession(commands, client);
  }
}
