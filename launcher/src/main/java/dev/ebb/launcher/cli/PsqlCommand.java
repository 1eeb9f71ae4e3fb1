package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * {@code ebb psql}. Prints the psql command; the {@code ebb} script replaces itself by it, so that
 * psql has the terminal and its signals for itself.
 */
@Command(
    name = "psql",
    description = "Open psql on a database, which wakes it.",
    footer = {
      "",
      "The password is psql's business: it asks, or takes PGPASSWORD or a password file.",
      "Examples:",
      "  ./ebb psql shop",
      "  PGPASSWORD=s3cret ./ebb psql shop -- -c \"SELECT count(*) FROM orders\""
    })
final class PsqlCommand extends ApiCommand {
  @Parameters(
      index = "0",
      paramLabel = "NAME[@BRANCH]",
      converter = BranchArgument.Converter.class,
      description = "What to connect to; without a branch: main.")
  private BranchArgument branch = new BranchArgument("", "main");

  @Parameters(
      index = "1..*",
      paramLabel = "PSQL_ARGS",
      description = "Passed on to psql, after --.")
  private List<String> arguments = new ArrayList<>();

  @Option(
      names = {"-U", "--user"},
      paramLabel = "ROLE",
      description = "Who to log in as (default: the database's owner).")
  private @Nullable String user;

  @Option(names = "--exec-line", hidden = true)
  private boolean execLine;

  @Override
  void ask(ApiClient client) throws Exception {
    String role = user == null ? ownerOf(client, branch.database()) : user;
    ApiOptions.Gateway gateway = options().gateway();
    List<String> words = new ArrayList<>(List.of("psql"));
    words.add(
        "host="
            + value(gateway.host())
            + " port="
            + gateway.port()
            + " user="
            + value(role)
            + " dbname="
            + value(branch.toString()));
    words.addAll(arguments);
    String line = words.stream().map(PsqlCommand::quoted).collect(Collectors.joining(" "));
    if (options().json()) {
      out().println(Json.write(words));
    } else {
      out().println(execLine ? "exec " + line : line);
    }
  }

  /** A value of a libpq connection string. Source: libpq's chapter "Connection Strings". */
  private static String value(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  /** One word of a POSIX shell's command line. */
  static String quoted(String word) {
    return "'" + word.replace("'", "'\\''") + "'";
  }
}
