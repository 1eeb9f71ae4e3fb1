package dev.ebb.launcher.up;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.Passwords;
import dev.ebb.launcher.up.Greeting.Login;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The database that the first start makes, so that the line it prints can be pasted.
 *
 * @param login what to connect to; null where the server has no database (any more)
 * @param password of the owner where it has been set just now; null otherwise
 */
record FirstDatabase(@Nullable Login login, @Nullable String password) {
  private static final Login FIRST = new Login("ebb", "app");
  private static final String PATH = "/v1/databases";

  /** Makes it at the first start; finds one to connect to at the others. */
  static FirstDatabase ensure(ApiClient api, DataDirectory directory, @Nullable String password)
      throws ApiException, StartException {
    List<Login> existing = Listing.logins(api.send("GET", PATH, null));
    if (!existing.isEmpty() || directory.isInitialized()) {
      directory.markInitialized();
      Login login =
          existing.contains(FIRST) ? FIRST : existing.isEmpty() ? null : existing.getFirst();
      return new FirstDatabase(login, null);
    }
    String secret = password == null ? Passwords.random() : password;
    api.send(
        "POST", PATH, Map.of("name", FIRST.name(), "owner", FIRST.owner(), "password", secret));
    directory.markInitialized();
    return new FirstDatabase(FIRST, secret);
  }

  /** Reads the API's list of databases. */
  private static final class Listing {
    private Listing() {}

    static List<Login> logins(@Nullable Object answer) {
      if (answer instanceof Map<?, ?> map && map.get("databases") instanceof List<?> databases) {
        return databases.stream().filter(Map.class::isInstance).map(Listing::login).toList();
      }
      return List.of();
    }

    private static Login login(Object database) {
      Map<?, ?> fields = (Map<?, ?>) database;
      return new Login(String.valueOf(fields.get("name")), String.valueOf(fields.get("owner")));
    }
  }
}
