package dev.ebb.shared.model;

/** How people name a branch: {@code database@branch}, where {@code @main} may be left out. */
public record BranchAddress(String database, String branch) {
  public static final String MAIN = "main";

  public BranchAddress {
    Names.requireName("database", database);
    Names.requireName("branch", branch);
  }

  public static BranchAddress parse(String text) {
    int at = text.indexOf('@');
    return at < 0
        ? new BranchAddress(text, MAIN)
        : new BranchAddress(text.substring(0, at), text.substring(at + 1));
  }

  @Override
  public String toString() {
    return database + "@" + branch;
  }
}
