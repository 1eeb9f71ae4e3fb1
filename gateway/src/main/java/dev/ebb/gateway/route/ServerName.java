package dev.ebb.gateway.route;

import dev.ebb.shared.model.BranchAddress;
import java.util.Locale;
import java.util.Optional;

/**
 * Names of servers that are names of branches: {@code branch--database.DOMAIN}, and {@code
 * database.DOMAIN} for its branch {@code main}. What is before the first two hyphens is the branch:
 * a database with two hyphens in a row has to be called with its branch.
 */
public final class ServerName {
  private static final String BETWEEN = "--";

  private ServerName() {}

  /** Empty where the name is not of that form, or not below the domain. */
  public static Optional<BranchAddress> parse(String host, String domain) {
    String name = host.toLowerCase(Locale.ROOT);
    String suffix = "." + domain.toLowerCase(Locale.ROOT);
    if (!name.endsWith(suffix)) {
      return Optional.empty();
    }
    String label = name.substring(0, name.length() - suffix.length());
    int between = label.indexOf(BETWEEN);
    try {
      return Optional.of(
          between < 0
              ? new BranchAddress(label, BranchAddress.MAIN)
              : new BranchAddress(
                  label.substring(between + BETWEEN.length()), label.substring(0, between)));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }
}
