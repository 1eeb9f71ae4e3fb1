package dev.ebb.launcher.config;

import java.util.List;

/** The configuration cannot be used: everything that is wrong with it, together. */
public final class ConfigException extends Exception {
  private static final long serialVersionUID = 1L;

  private final transient List<String> violations;

  ConfigException(List<String> violations) {
    super(
        violations.size() == 1
            ? "the configuration is wrong: " + violations.get(0)
            : "the configuration is wrong in "
                + violations.size()
                + " places:\n  "
                + String.join("\n  ", violations));
    this.violations = List.copyOf(violations);
  }

  /** One line each: where, what is wrong there, what is expected. */
  public List<String> violations() {
    return violations;
  }
}
