package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A branch as the command line names it.
 *
 * @param database the database's name
 * @param branch {@code main} where only the database is named
 */
record BranchArgument(String database, String branch) {
  private static final String MAIN = "main";

  static BranchArgument parse(String text) {
    int at = text.indexOf('@');
    var argument =
        at < 0
            ? new BranchArgument(text, MAIN)
            : new BranchArgument(text.substring(0, at), text.substring(at + 1));
    // "..", an element of a path, would mean the database.
    if (argument.database.isBlank()
        || argument.branch.isBlank()
        || argument.branch.matches("[.]+")) {
      throw new TypeConversionException(
          "\"" + text + "\" names no branch: expected NAME or NAME@BRANCH");
    }
    return argument;
  }

  /** The branch's path in the API. */
  String path() {
    return "/v1/databases/"
        + ApiClient.element(database)
        + "/branches/"
        + ApiClient.element(branch);
  }

  @Override
  public String toString() {
    return MAIN.equals(branch) ? database : database + "@" + branch;
  }

  /** For picocli. */
  static final class Converter implements ITypeConverter<BranchArgument> {
    @Override
    public BranchArgument convert(String text) {
      return parse(text);
    }
  }
}
