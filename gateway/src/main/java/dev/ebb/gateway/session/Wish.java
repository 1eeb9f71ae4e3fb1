package dev.ebb.gateway.session;

import dev.ebb.gateway.auth.LoginRules;
import dev.ebb.gateway.console.Console;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.gateway.route.Located;
import dev.ebb.gateway.route.ServerName;
import dev.ebb.gateway.tls.ClientName;
import dev.ebb.gateway.tls.TlsSession;
import dev.ebb.shared.bus.ComputeMessage.LoginFound;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.scram.EndPointBinding;
import dev.ebb.shared.scram.ScramExchange;
import io.vertx.core.Future;
import java.security.cert.X509Certificate;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Who wants to go where, before anybody has proven anything. */
record Wish(String user, BranchAddress address, Origin origin) {
  /** Stands for a branch where there is none. */
  private static final BranchId CONSOLE = new BranchId("console");

  /**
   * What a login is judged by.
   *
   * @param refusal what somebody who has proven to be the role is told instead of being let in; or
   *     null
   */
  record Found(BranchId branch, ScramExchange exchange, @Nullable ErrorResponse refusal) {}

  /**
   * @throws Refusal where the packet names nobody, or a database or a route that cannot exist, or
   *     where the client's certificate is somebody else's
   */
  static Wish of(StartupMessage message, Origin origin, SessionLimits limits) {
    var _ = Route.of(message);
    String user = message.user();
    String database = message.database();
    if (user == null || user.isEmpty() || database == null) {
      throw new Refusal(
          SqlState.INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet");
    }
    judgeCertificate(user, origin, limits);
    Optional<BranchAddress> called = called(origin, limits);
    if (called.isPresent() && (database.equals(user) || database.equals(called.get().database()))) {
      // libpq sends the user's name where no database is named.
      return new Wish(user, called.get(), origin);
    }
    try {
      return new Wish(user, BranchAddress.parse(database), origin);
    } catch (IllegalArgumentException e) {
      throw unknown(database);
    }
  }

  /** The branch that the client calls the server by. */
  private static Optional<BranchAddress> called(Origin origin, SessionLimits limits) {
    TlsSession tls = origin.tls();
    String name = tls == null ? null : tls.serverName();
    String domain = limits.domain();
    return name == null || domain == null ? Optional.empty() : ServerName.parse(name, domain);
  }

  /**
   * As {@code clientcert=verify-full} in PostgreSQL's {@code pg_hba.conf}: beside the password, not
   * in its place, which is what the compute is logged into with ({@code CheckCertAuth} in {@code
   * auth.c}).
   */
  private static void judgeCertificate(String user, Origin origin, SessionLimits limits) {
    TlsSession tls = origin.tls();
    X509Certificate shown = tls == null ? null : tls.client();
    if (shown == null) {
      if (limits.requireClientCertificate()) {
        throw new Refusal(
            SqlState.INVALID_AUTHORIZATION, "connection requires a valid client certificate");
      }
      return;
    }
    if (!ClientName.of(shown).equals(Optional.of(user))) {
      throw new Refusal(
          SqlState.INVALID_AUTHORIZATION,
          "certificate authentication failed for user \"" + shown(user) + "\"");
    }
  }

  /** Whether it is the gateway itself that the client wants to talk to. */
  boolean isForConsole() {
    return address.branch().equals(BranchAddress.MAIN) && Console.isMeant(user, address.database());
  }

  /** Under which name the limits of a database are counted. */
  String limitKey() {
    return isForConsole() ? Console.LIMIT_KEY : address.database();
  }

  /** Asks for the branch, then for the role. */
  Future<Found> find(SessionServices services) {
    Console console = services.console();
    if (isForConsole() && console != null) {
      services.limiter().connectsToConsole(origin.address(), limitKey(), user);
      return Future.succeededFuture(
          new Found(CONSOLE, console.exchange(services.rules()::nonce, binding()), null));
    }
    return findBranch(services)
        .map(branch -> {
          services.limiter().connects(origin.address(), limitKey(), user);
          return branch;
        })
        .compose(branch ->
            login(services, branch)
                .map(login -> found(services, branch, login))
                .recover(error ->
                    error instanceof EbbException.NotFound
                        ? findAnew(services)
                        : Future.failedFuture(error)));
  }

  /** The branch may have been dropped and made again since it was cached. */
  private Future<Found> findAnew(SessionServices services) {
    services.routes().forget(address);
    return findBranch(services)
        .compose(branch -> login(services, branch).map(login -> found(services, branch, login)));
  }

  private Future<BranchId> findBranch(SessionServices services) {
    return services
        .routes()
        .locate(address)
        .map(found -> {
          Located database = found.orElseThrow(() -> unknown(shown(address)));
          requireAllowed(services, database);
          return database.branch().orElseThrow(() -> unknown(shown(address)));
        });
  }

  /** Before anything is told of what is in the database, and before anybody is asked. */
  private void requireAllowed(SessionServices services, Located database) {
    if (!database.allows(origin.address())) {
      services.limiter().keptOut();
      throw new Refusal(
          ErrorResponse.fatal(
                  SqlState.INVALID_AUTHORIZATION,
                  "connections from "
                      + origin.address().getHostAddress()
                      + " to database \""
                      + address.database()
                      + "\" are not allowed")
              .withHint("The database takes clients from some addresses only: ebb db allow."));
    }
  }

  private Future<LoginFound> login(SessionServices services, BranchId branch) {
    return LoginRules.isReserved(user)
        ? Future.succeededFuture(new LoginFound(null, null, false))
        : services.computes().login(branch, user, address.database());
  }

  private Found found(SessionServices services, BranchId branch, LoginFound login) {
    RoleState role = login.role();
    return new Found(
        branch,
        services.rules().exchange(branch, user, role, binding()),
        role == null ? null : LoginRules.refusal(role, login.access()).orElse(null));
  }

  private @Nullable EndPointBinding binding() {
    TlsSession tls = origin.tls();
    return tls == null ? null : tls.binding();
  }

  private static Refusal unknown(String database) {
    return new Refusal(
        SqlState.UNKNOWN_DATABASE, "database \"" + shown(database) + "\" does not exist");
  }

  private static String shown(BranchAddress address) {
    return address.branch().equals(BranchAddress.MAIN) ? address.database() : address.toString();
  }

  /** A client's text, fit for a log line or a message. */
  static String shown(String text) {
    String cut = text.length() > 80 ? text.substring(0, 80) + "…" : text;
    return cut.replaceAll("\\p{Cntrl}", "?");
  }
}
