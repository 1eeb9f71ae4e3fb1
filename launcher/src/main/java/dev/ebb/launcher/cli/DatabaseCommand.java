package dev.ebb.launcher.cli;

import dev.ebb.launcher.cli.Table.Column;
import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.Json;
import dev.ebb.launcher.client.Passwords;
import java.io.BufferedReader;
import java.io.Console;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code ebb db}: create, list, allow, drop. */
@Command(
    name = "db",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Create, list and drop databases, and say who may come to them.",
    synopsisSubcommandLabel = "COMMAND",
    commandListHeading = "%nCommands:%n",
    subcommands = {
      DatabaseCommand.Create.class,
      DatabaseCommand.Show.class,
      DatabaseCommand.Allow.class,
      DatabaseCommand.Drop.class
    },
    footer = {
      "",
      "Examples:",
      "  ./ebb db create shop --owner app --password s3cret",
      "  ./ebb db list",
      "  ./ebb db allow shop 10.0.0.0/8 2001:db8::/32",
      "  ./ebb db drop shop"
    })
final class DatabaseCommand implements Runnable {
  private static final String PATH = "/v1/databases";

  @Spec private CommandSpec spec = CommandSpec.create();

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command: create, list, allow or drop");
  }

  /** {@code ebb db create}. */
  @Command(
      name = "create",
      description = "Create a database.",
      footer = {
        "",
        "Without a password one is made and printed, this once.",
        "Examples:",
        "  ./ebb db create shop --owner app --password s3cret",
        "  ./ebb db create shop --owner app --password-stdin < password.txt",
        "  ./ebb db create old --pg 14"
      })
  static final class Create extends ApiCommand {
    @Parameters(paramLabel = "NAME", description = "Lower-case letters, digits, - and _.")
    private String name = "";

    @Option(
        names = "--owner",
        paramLabel = "ROLE",
        defaultValue = "app",
        description = "The role that owns it (default: ${DEFAULT-VALUE}).")
    private String owner = "app";

    @Option(
        names = "--pg",
        paramLabel = "VERSION",
        description =
            "The major version of PostgreSQL that it and its branches run (default: 18). The error"
                + " of one that there is not names those that there are.")
    private @Nullable Integer postgresVersion;

    @ArgGroup private @Nullable GivenPassword given;

    /** One of the two. */
    static final class GivenPassword {
      @Option(
          names = "--password",
          paramLabel = "PASSWORD",
          required = true,
          description = "The owner's password.")
      private @Nullable String text;

      @Option(
          names = "--password-stdin",
          required = true,
          description = "Read the owner's password from the first line of standard input.")
      private boolean fromStdin;
    }

    @Override
    void ask(ApiClient client) throws Exception {
      String password = given == null ? Passwords.random() : read(given);
      var body = new LinkedHashMap<String, Object>();
      body.put("name", name);
      body.put("owner", owner);
      body.put("password", password);
      if (postgresVersion != null) {
        body.put("postgresVersion", postgresVersion);
      }
      Object answer = client.send("POST", PATH, body);
      if (options().json()) {
        var shown = new LinkedHashMap<Object, @Nullable Object>();
        if (answer instanceof Map<?, ?> fields) {
          shown.putAll(fields);
        }
        if (given == null) {
          shown.put("password", password);
        }
        out().println(Json.write(shown));
        return;
      }
      out().println("created database " + name + ", owner " + owner);
      ApiOptions.Gateway gateway = options().gateway();
      String secret = given == null ? ":" + password : "";
      out()
          .println(
              "psql \"postgres://"
                  + owner
                  + secret
                  + "@"
                  + gateway.host()
                  + ":"
                  + gateway.port()
                  + "/"
                  + name
                  + "\"");
    }

    private static String read(GivenPassword given) throws IOException, CommandException {
      String password = given.text;
      if (given.fromStdin) {
        var reader = new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()));
        password = reader.readLine();
      }
      if (password == null || password.isEmpty()) {
        throw new CommandException(
            "the password is empty: pass one, or leave the option out to have one made");
      }
      return password;
    }
  }

  /** {@code ebb db list}. */
  @Command(
      name = "list",
      aliases = "ls",
      description = "List the databases.",
      footer = {"", "Example: ./ebb db list --json"})
  static final class Show extends ApiCommand {
    private static final String READY = "ready";

    @Override
    void ask(ApiClient client) throws Exception {
      Object answer = client.send("GET", PATH, null);
      if (options().json()) {
        out().println(Json.write(answer));
        return;
      }
      var table =
          new Table(
              Column.text("DATABASE"),
              Column.text("OWNER"),
              Column.number("POSTGRESQL"),
              Column.text("STATE"),
              Column.text("CLIENTS FROM"));
      for (Map<?, ?> database : objects(answer, "databases")) {
        String state = text(database, "state");
        List<Map<?, ?>> branches = objects(database, "branches");
        if (!READY.equals(state) || branches.isEmpty()) {
          table.row(
              text(database, "name"),
              text(database, "owner"),
              text(database, "postgresVersion"),
              state,
              clients(database));
        }
        for (Map<?, ?> branch : READY.equals(state) ? branches : List.<Map<?, ?>>of()) {
          var address = new BranchArgument(text(database, "name"), text(branch, "name"));
          table.row(
              address.toString(),
              text(database, "owner"),
              text(database, "postgresVersion"),
              text(branch, "state"),
              clients(database));
        }
      }
      table.print(out());
    }

    private static String clients(Map<?, ?> database) {
      return database.get("allowed") instanceof List<?> allowed
          ? allowed.stream().map(String::valueOf).collect(Collectors.joining(","))
          : "everywhere";
    }

    private static String text(Map<?, ?> object, String key) {
      Object value = object.get(key);
      return value == null ? "-" : value.toString();
    }
  }

  /** {@code ebb db allow}. */
  @Command(
      name = "allow",
      description = "Say where a database's clients may come from; holds within a second.",
      footer = {
        "",
        "The list takes the place of the one before. Whoever comes from elsewhere is told so before",
        "anything is told of the database. Sessions that are open stay open.",
        "Examples:",
        "  ./ebb db allow shop 10.0.0.0/8 192.0.2.7 2001:db8::/32",
        "  ./ebb db allow shop --everywhere"
      })
  static final class Allow extends ApiCommand {
    @Parameters(index = "0", paramLabel = "NAME", description = "The database.")
    private String name = "";

    @Parameters(
        index = "1..*",
        arity = "0..*",
        paramLabel = "CIDR",
        description = "Blocks of addresses, or single ones, IPv4 or IPv6.")
    private List<String> addresses = List.of();

    @Option(names = "--everywhere", description = "Let clients come from everywhere again.")
    private boolean everywhere;

    @Override
    void ask(ApiClient client) throws Exception {
      if (everywhere != addresses.isEmpty()) {
        throw new CommandException(
            "name the addresses that clients may come from, or pass --everywhere");
      }
      Object answer =
          client.send(
              "PUT",
              PATH + "/" + ApiClient.element(name) + "/allowed",
              Map.of("addresses", addresses));
      if (options().json()) {
        out().println(Json.write(answer));
        return;
      }
      out()
          .println(
              name
                  + " takes clients from "
                  + (everywhere ? "everywhere" : String.join(", ", addresses)));
    }
  }

  /** {@code ebb db drop}. */
  @Command(
      name = "drop",
      aliases = "rm",
      description = "Drop a database with everything in it.",
      footer = {"", "Example: ./ebb db drop shop --yes"})
  static final class Drop extends ApiCommand {
    private static final int NOT_FOUND = 404;

    @Parameters(paramLabel = "NAME", description = "The database.")
    private String name = "";

    @Option(
        names = {"-y", "--yes"},
        description = "Do not ask first. Nothing is asked either where there is no terminal.")
    private boolean yes;

    @Option(names = "--if-exists", description = "No error where there is none.")
    private boolean ifExists;

    @Option(names = "--force", description = "Also where branches of it are protected.")
    private boolean force;

    @Override
    void ask(ApiClient client) throws Exception {
      confirm();
      try {
        client.send(
            "DELETE", PATH + "/" + ApiClient.element(name) + (force ? "?force=true" : ""), null);
      } catch (ApiException.Refused e) {
        if (ifExists && e.status() == NOT_FOUND) {
          answer(dropped(false), "there is no database " + name);
          return;
        }
        throw e;
      }
      answer(dropped(true), "dropped database " + name);
    }

    private Map<String, Object> dropped(boolean existed) {
      var answer = new LinkedHashMap<String, Object>();
      answer.put("name", name);
      answer.put("dropped", existed);
      return answer;
    }

    @SuppressWarnings("SystemConsoleNull") // NullAway knows the JDK before 22
    private void confirm() throws CommandException {
      Console console = System.console();
      if (yes || options().json() || console == null || !console.isTerminal()) {
        return;
      }
      String typed =
          console.readLine("This deletes all data of \"%s\". Type its name to go on: ", name);
      if (!name.equals(typed == null ? "" : typed.strip())) {
        throw new CommandException("not dropped");
      }
    }
  }
}
