package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.Json;
import java.io.Console;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code ebb branch}: everything about the branches of a database. */
@Command(
    name = "branch",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Create, list, rename, reset, restore, protect and drop branches.",
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = {
      BranchCommand.Create.class,
      BranchCommand.Show.class,
      BranchCommand.Drop.class,
      BranchCommand.Rename.class,
      BranchCommand.Reset.class,
      BranchCommand.Restore.class,
      BranchCommand.Protect.class,
      BranchCommand.Unprotect.class
    },
    footer = {
      "",
      "A branch begins with all that its parent had and costs nothing until it is written to.",
      "Examples:",
      "  ./ebb branch create shop@dev                 of shop's main, as it is now",
      "  ./ebb branch create shop@oops --at -10m      as it was ten minutes ago",
      "  ./ebb psql shop@dev",
      "  ./ebb branch list shop",
      "  ./ebb branch reset shop@dev                  back to what main is now",
      "  ./ebb branch restore shop@main --at \"2026-11-22 10:00:00+00\"",
      "  ./ebb branch drop shop@dev"
    })
final class BranchCommand implements Runnable {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(),
        "name a command: create, list, drop, rename, reset, restore, protect or unprotect");
  }

  /** What {@code --at} takes. */
  private static final String POINT =
      "A point in the past: an LSN (0/16B3748), a time (2026-11-22T10:00:00Z,"
          + " \"2026-11-22 10:00:00.5+00\"; UTC without a zone) or how long ago (-90s, -10m, -2h,"
          + " -1d). Cut at a commit.";

  /** A command on one branch. */
  abstract static class OnBranch extends OnBranchCommand {
    final String address() {
      return branch().database() + "@" + branch().branch();
    }

    final String collection() {
      return "/v1/databases/" + ApiClient.element(branch().database()) + "/branches";
    }

    /** Asks where there is a terminal; the name has to be typed. */
    @SuppressWarnings("SystemConsoleNull") // NullAway knows the JDK before 22
    final void confirm(boolean yes, String what) throws CommandException {
      Console console = System.console();
      if (yes || options().json() || console == null || !console.isTerminal()) {
        return;
      }
      String typed = console.readLine("%s \"%s\". Type its name to go on: ", what, address());
      if (!address().equals(typed == null ? "" : typed.strip())) {
        throw new CommandException("nothing was changed");
      }
    }
  }

  /** {@code ebb branch create}. */
  @Command(
      name = "create",
      description = "Create a branch of another one of the same database.",
      footer = {
        "",
        "Examples:",
        "  ./ebb branch create shop@dev",
        "  ./ebb branch create shop@fix --from shop@dev --at 0/16B3748"
      })
  static final class Create extends OnBranch {
    @Option(
        names = "--from",
        paramLabel = "NAME@BRANCH",
        description = "The branch to make it from (default: main).")
    private @Nullable String from;

    @Option(names = "--at", paramLabel = "LSN|TIME", description = POINT)
    private @Nullable String at;

    @Override
    void ask(ApiClient client) throws Exception {
      var body = new LinkedHashMap<String, Object>();
      body.put("name", branch().branch());
      if (from != null) {
        body.put("from", parent(from));
      }
      if (at != null) {
        body.put("at", at);
      }
      Object answer = client.send("POST", collection(), body);
      answer(
          answer,
          "created branch "
              + address()
              + " of "
              + branch().database()
              + "@"
              + field(answer, "parent")
              + " at "
              + field(answer, "forkLsn"));
    }

    private String parent(String text) throws CommandException {
      int at = text.indexOf('@');
      if (at < 0) {
        return text.equals(branch().database()) ? "main" : text;
      }
      if (!text.substring(0, at).equals(branch().database())) {
        throw new CommandException(
            "a branch is made of one of its own database: \""
                + text
                + "\" is not of "
                + branch().database());
      }
      return text.substring(at + 1);
    }
  }

  /** {@code ebb branch list}. */
  @Command(
      name = "list",
      aliases = "ls",
      description = "List the branches of a database as a tree.",
      footer = {
        "",
        "SIZE is that of its data, OWN what is stored for it alone. Both are as of its newest",
        "snapshot.",
        "Example: ./ebb branch list shop"
      })
  static final class Show extends ApiCommand {
    @Parameters(paramLabel = "NAME", description = "The database.")
    private String name = "";

    @Override
    void ask(ApiClient client) throws Exception {
      Object answer =
          client.send("GET", "/v1/databases/" + ApiClient.element(name) + "/branches", null);
      if (options().json()) {
        out().println(Json.write(answer));
        return;
      }
      new BranchList(objects(answer, "branches"), Clock.systemUTC()).print(out());
    }
  }

  /** {@code ebb branch drop}. */
  @Command(
      name = "drop",
      aliases = "rm",
      description = "Drop a branch.",
      footer = {"", "Example: ./ebb branch drop shop@dev"})
  static final class Drop extends OnBranch {
    private static final int NOT_FOUND = 404;

    @Option(
        names = "--force",
        description = "Also where it has children: they stay, as its parent's.")
    private boolean force;

    @Option(names = "--if-exists", description = "No error where there is none.")
    private boolean ifExists;

    @Option(
        names = {"-y", "--yes"},
        description = "Do not ask first. Nothing is asked either where there is no terminal.")
    private boolean yes;

    @Override
    void ask(ApiClient client) throws Exception {
      confirm(yes, "This deletes all that is only in");
      boolean existed = true;
      try {
        client.send("DELETE", branch().path() + (force ? "?force=true" : ""), null);
      } catch (ApiException.Refused e) {
        if (!ifExists || e.status() != NOT_FOUND) {
          throw e;
        }
        existed = false;
      }
      var answer = new LinkedHashMap<String, Object>();
      answer.put("name", address());
      answer.put("dropped", existed);
      answer(answer, existed ? "dropped branch " + address() : "there is no branch " + address());
    }
  }

  /** {@code ebb branch rename}. */
  @Command(
      name = "rename",
      description = "Give a branch another name; its sessions go on.",
      footer = {"", "Example: ./ebb branch rename shop@dev staging"})
  static final class Rename extends OnBranch {
    @Parameters(index = "1", paramLabel = "NEW", description = "The new name.")
    private String to = "";

    @Override
    void ask(ApiClient client) throws Exception {
      int at = to.indexOf('@');
      if (at >= 0 && !to.substring(0, at).equals(branch().database())) {
        throw new CommandException("a branch stays with its database: name only the branch");
      }
      String bare = to.substring(at + 1);
      Object answer = client.send("POST", branch().path() + "/rename", Map.of("name", bare));
      answer(
          answer,
          "branch " + address() + " is " + branch().database() + "@" + bare + " from now on");
    }
  }

  /** {@code ebb branch reset}. */
  @Command(
      name = "reset",
      description = "Put a branch back to its parent's head. What it had is gone.",
      footer = {"", "Example: ./ebb branch reset shop@dev"})
  static final class Reset extends OnBranch {
    @Option(
        names = {"-y", "--yes"},
        description = "Do not ask first. Nothing is asked either where there is no terminal.")
    private boolean yes;

    @Override
    void ask(ApiClient client) throws Exception {
      confirm(yes, "This deletes all that is only in");
      Object answer = client.send("POST", branch().path() + "/reset", null);
      answer(answer, address() + " is its parent's head again, at " + field(answer, "forkLsn"));
    }
  }

  /** {@code ebb branch restore}. */
  @Command(
      name = "restore",
      description = "Put a branch back to a point in its past. What it has is kept as a branch.",
      footer = {"", "Example: ./ebb branch restore shop@main --at -10m"})
  static final class Restore extends OnBranch {
    @Option(names = "--at", paramLabel = "LSN|TIME", required = true, description = POINT)
    private String at = "";

    @Override
    void ask(ApiClient client) throws Exception {
      Object answer = client.send("POST", branch().path() + "/restore", Map.of("at", at));
      answer(
          answer,
          address()
              + " is as it was at "
              + field(answer, "forkLsn")
              + "; what it was until now is "
              + branch().database()
              + "@"
              + field(answer, "keptAs"));
    }
  }

  /** {@code ebb branch protect}. */
  @Command(
      name = "protect",
      description = "Refuse to drop or reset a branch from now on.",
      footer = {"", "Example: ./ebb branch protect shop@main"})
  static final class Protect extends OnBranch {
    @Override
    void ask(ApiClient client) throws Exception {
      answer(client.send("POST", branch().path() + "/protect", null), address() + " is protected");
    }
  }

  /** {@code ebb branch unprotect}. */
  @Command(
      name = "unprotect",
      description = "Take a branch's protection off.",
      footer = {"", "Example: ./ebb branch unprotect shop@main"})
  static final class Unprotect extends OnBranch {
    @Override
    void ask(ApiClient client) throws Exception {
      answer(
          client.send("POST", branch().path() + "/unprotect", null),
          address() + " is not protected any more");
    }
  }
}
