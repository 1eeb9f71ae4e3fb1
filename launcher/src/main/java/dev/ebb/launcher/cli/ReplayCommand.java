package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal replay}: a branch of the log, which the server makes. */
@Command(
    name = "replay",
    description = {
      "Make a new branch of what a branch's log has, up to a position or a time.",
      "Asks the running server: it is \"./ebb branch create --at\"."
    },
    footer = {"", "Example: ./ebb wal replay shop --to-time 2026-11-22T10:00:00Z --as shop@then"})
public final class ReplayCommand extends OnBranchCommand {
  @ArgGroup(multiplicity = "1")
  private Where where = new Where();

  /** One of them. */
  static final class Where {
    @Option(
        names = "--to-lsn",
        paramLabel = "LSN",
        description = "The last commit or abort ends here or before.")
    private @Nullable String lsn;

    @Option(
        names = "--to-time",
        paramLabel = "TIME",
        description = "The last commit or abort is of this time or before.")
    private @Nullable String time;
  }

  @Option(
      names = "--as",
      paramLabel = "NAME@NEW",
      required = true,
      converter = BranchArgument.Converter.class,
      description = "What the new branch is called.")
  private BranchArgument as = new BranchArgument("", "main");

  @Override
  void ask(ApiClient client) throws Exception {
    if (!as.database().equals(branch().database())) {
      throw new CommandException(
          "a branch stays in its database: name it " + branch().database() + "@" + as.branch());
    }
    Map<String, Object> body = new LinkedHashMap<>();
    body.put("name", as.branch());
    body.put("from", branch().branch());
    body.put("at", where.lsn == null ? where.time : where.lsn);
    Object answer =
        client.send(
            "POST", "/v1/databases/" + ApiClient.element(branch().database()) + "/branches", body);
    answer(answer, "replayed " + branch() + " as " + as + ", up to " + field(answer, "forkLsn"));
  }
}
