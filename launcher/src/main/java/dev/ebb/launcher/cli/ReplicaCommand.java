package dev.ebb.launcher.cli;

import dev.ebb.launcher.cli.Table.Column;
import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.Json;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ebb replica}: the replicas of a branch. */
@Command(
    name = "replica",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Add, remove and list read replicas of a branch.",
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = {
      ReplicaCommand.Add.class,
      ReplicaCommand.Remove.class,
      ReplicaCommand.Show.class
    },
    footer = {
      "",
      "A replica is a compute that only reads. It follows the branch's durable log, a little behind,",
      "stays up while the primary sleeps, and is started again where it dies, until it is removed.",
      "Examples:",
      "  ./ebb replica add shop@main --count 2",
      "  psql \"host=127.0.0.1 port=5432 dbname=shop options='-c ebb.route=replica'\"",
      "  ./ebb ps                                     shows how far each is behind",
      "  ./ebb replica remove shop@main"
    })
final class ReplicaCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command: add, remove or list");
  }

  /** A command on the replicas of one branch. */
  abstract static class OnBranch extends OnBranchCommand {
    final String collection() {
      return branch().path() + "/replicas";
    }

    /** What was done to how many, and how many there are to be. */
    final String summary(@Nullable Object answer, String verb) {
      int changed =
          answer instanceof Map<?, ?> fields && fields.get("changed") instanceof List<?> ids
              ? ids.size()
              : 0;
      return verb
          + " "
          + changed
          + (changed == 1 ? " replica" : " replicas")
          + " of "
          + branch()
          + ", which is to have "
          + field(answer, "wanted");
    }
  }

  /** {@code ebb replica add}. */
  @Command(
      name = "add",
      description = "Add replicas; returns when they serve.",
      footer = {"", "Example: ./ebb replica add shop@main --count 2"})
  static final class Add extends OnBranch {
    @Option(names = "--count", paramLabel = "N", description = "How many more (default: 1).")
    private int count = 1;

    @Override
    void ask(ApiClient client) throws Exception {
      Object answer = client.send("POST", collection(), Map.of("count", count));
      answer(answer, summary(answer, "added"));
    }
  }

  /** {@code ebb replica remove}. */
  @Command(
      name = "remove",
      description = "Remove replicas, those with the fewest sessions first.",
      footer = {"", "Example: ./ebb replica remove shop@main"})
  static final class Remove extends OnBranch {
    @Option(names = "--count", paramLabel = "N", description = "How many (default: 1).")
    private int count = 1;

    @Override
    void ask(ApiClient client) throws Exception {
      Object answer = client.send("DELETE", collection() + "?count=" + count, null);
      answer(answer, summary(answer, "removed"));
    }
  }

  /** {@code ebb replica list}. */
  @Command(
      name = "list",
      description = "List the replicas of a branch.",
      footer = {"", "Example: ./ebb replica list shop@main"})
  static final class Show extends OnBranch {
    @Override
    void ask(ApiClient client) throws Exception {
      Object answer = client.send("GET", collection(), null);
      if (options().json()) {
        out().println(Json.write(answer));
        return;
      }
      var table =
          new Table(
              Column.text("REPLICA"),
              Column.text("STATE"),
              Column.number("PID"),
              Column.number("UP"),
              Column.number("CLIENTS"),
              Column.number("MEMORY"),
              Column.number("LAG"),
              Column.text("REPLAYED"),
              Column.text("HOST"));
      for (Map<?, ?> replica : objects(answer, "replicas")) {
        table.row(
            PsCommand.text(replica, "replica"),
            PsCommand.text(replica, "state"),
            PsCommand.text(replica, "pid"),
            PsCommand.duration(PsCommand.number(replica, "uptimeMs")),
            PsCommand.text(replica, "connections"),
            PsCommand.bytes(PsCommand.number(replica, "residentBytes")),
            PsCommand.lag(replica),
            PsCommand.text(replica, "replayedLsn"),
            PsCommand.text(replica, "host"));
      }
      table.print(out());
      out().println(branch() + " is to have " + field(answer, "wanted"));
    }
  }
}
