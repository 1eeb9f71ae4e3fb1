package dev.ebb.gateway.console;

import dev.ebb.gateway.console.ConsoleText.Word;
import dev.ebb.shared.model.BranchAddress;
import io.vertx.core.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** What the console's statements mean. For any thread. */
final class ConsoleCommands {
  private static final String HINT = "SHOW HELP lists what there is.";

  /** What drivers ask a server for; the names in lower case. */
  private static final Map<String, String> PARAMETERS =
      Map.of(
          "server_version", Console.SERVER_VERSION,
          "server_encoding", "UTF8",
          "client_encoding", "UTF8",
          "datestyle", "ISO, MDY",
          "timezone", "UTC",
          "standard_conforming_strings", "on",
          "integer_datetimes", "on",
          "search_path", "",
          "transaction_isolation", "read committed",
          "default_transaction_read_only", "off");

  private final GatewayView gateway;
  private final ConsoleTables tables;

  ConsoleCommands(GatewayView gateway) {
    this.gateway = gateway;
    this.tables = new ConsoleTables(gateway);
  }

  /**
   * What a statement will be answered with; nothing is done yet.
   *
   * @throws ConsoleException where there is no such statement
   */
  Answer of(List<Word> statement) {
    if (statement.isEmpty()) {
      return new Answer.Nothing();
    }
    Word first = statement.getFirst();
    List<Word> rest = statement.subList(1, statement.size());
    if (first.quoted()) {
      throw unknown(statement);
    }
    return switch (first.name()) {
      case "show" -> show(rest);
      case "pause" -> pause(rest);
      case "resume" -> resume(rest);
      case "kill" -> kill(rest);
      case "kill_client" -> killClient(one(rest, "KILL_CLIENT id"));
      case "reload" -> reload(rest);
      case "select" -> select(statement, rest);
      // What drivers and their pools send by themselves; nothing here depends on it.
      case "set", "reset", "begin", "commit", "rollback", "deallocate" ->
          nothing(first.name().toUpperCase(Locale.ROOT));
      case "start" -> nothing("START TRANSACTION");
      case "end" -> nothing("COMMIT");
      case "abort" -> nothing("ROLLBACK");
      case "discard" -> nothing("DISCARD ALL");
      default -> throw unknown(statement);
    };
  }

  private static ConsoleException unknown(List<Word> statement) {
    return new ConsoleException(
        ConsoleException.SYNTAX_ERROR,
        "unknown command: " + shown(statement) + ": this is the gateway's console, not a database",
        HINT);
  }

  private static String shown(List<Word> statement) {
    String all = String.join(" ", statement.stream().map(Word::text).toList());
    return all.length() > 60 ? all.substring(0, 60) + "…" : all;
  }

  private static Answer nothing(String tag) {
    return act(tag, () -> Future.succeededFuture(List.of()));
  }

  private Answer show(List<Word> what) {
    if (what.isEmpty()) {
      return tables.find("help").orElseThrow();
    }
    String name = what.getFirst().name();
    if (what.size() == 1) {
      var table = tables.find(name);
      if (table.isPresent()) {
        return table.get();
      }
    }
    String parameter =
        switch (String.join(" ", what.stream().map(Word::name).toList())) {
          case "transaction isolation level" -> "transaction_isolation";
          case "time zone" -> "timezone";
          default -> what.size() == 1 ? name : "";
        };
    String value = PARAMETERS.get(parameter);
    if (value == null) {
      throw new ConsoleException(
          ConsoleException.UNDEFINED_OBJECT, "there is nothing to show as " + shown(what), HINT);
    }
    return single(parameter, ColumnType.TEXT, value);
  }

  private static Answer single(String column, ColumnType type, @Nullable Object value) {
    List<@Nullable Object> row = new ArrayList<>();
    row.add(value);
    return new Answer.Table(
        List.of(new Answer.Column(column, type)),
        () -> Future.succeededFuture(List.of(new Answer.Row(row))));
  }

  /** What pools of drivers ask to see whether a connection lives. */
  private static Answer select(List<Word> statement, List<Word> what) {
    String text = String.join("", what.stream().map(Word::name).toList());
    return switch (text) {
      case "1" -> single("?column?", ColumnType.BIGINT, 1L);
      case "version()" -> single("version", ColumnType.TEXT, Console.VERSION);
      default -> throw unknown(statement);
    };
  }

  private Answer pause(List<Word> where) {
    return where.isEmpty()
        ? new Answer.Act("PAUSE", isGone -> pause("", isGone))
        : onBranch(
            "PAUSE",
            one(where, "PAUSE [database[@branch]]"),
            (address, isGone) -> pause(address, isGone));
  }

  private Future<List<String>> pause(String address, BooleanSupplier isGone) {
    return gateway.pause(address, isGone).compose(paused -> leftAlone(address));
  }

  /**
   * Sessions with connections of their own go on: nobody but their clients can pause them. Clients
   * that keep a connection wait, but it stays open.
   */
  private Future<List<String>> leftAlone(String address) {
    return gateway
        .clients()
        .map(clients -> {
          List<ClientInfo> there =
              clients.stream()
                  .filter(each -> address.isEmpty() || each.database().equals(address))
                  .toList();
          var notices = new ArrayList<String>();
          long own = there.stream().filter(each -> each.mode().equals("session")).count();
          if (own > 0) {
            notices.add(
                own
                    + (own == 1 ? " client has a connection" : " clients have connections")
                    + " of their own, which cannot be paused: SHOW CLIENTS, mode \"session\"");
          }
          List<String> held =
              there.stream()
                  .filter(each -> each.mode().equals("transaction"))
                  .filter(each -> each.server() != 0)
                  .map(each -> String.valueOf(each.id()))
                  .toList();
          if (!held.isEmpty()) {
            notices.add(
                clients(held.size())
                    + (held.size() == 1 ? " keeps" : " keep")
                    + " a connection, on which nothing runs, but which holds the compute awake"
                    + " (KILL id ends it): "
                    + String.join(", ", held));
          }
          return List.copyOf(notices);
        });
  }

  private Answer resume(List<Word> where) {
    return where.isEmpty()
        ? act("RESUME", () -> resumed("", "nothing"))
        : onBranch(
            "RESUME",
            one(where, "RESUME [database[@branch]]"),
            (address, isGone) -> resumed(address, "\"" + ConsoleTables.shown(address) + "\""));
  }

  private Future<List<String>> resumed(String address, String what) {
    if (!gateway.resume(address)) {
      return Future.failedFuture(
          new ConsoleException(
              "55000",
              what + " is " + (address.isEmpty() ? "" : "not ") + "paused",
              gateway.pauses().isAllPaused() ? "All are paused: RESUME without a name." : ""));
    }
    return Future.succeededFuture(List.of());
  }

  private Answer kill(List<Word> what) {
    Word target = one(what, "KILL id, or KILL database[@branch]");
    if (!target.quoted() && target.text().chars().allMatch(Character::isDigit)) {
      return killClient(target);
    }
    return onBranch(
        "KILL",
        target,
        (address, isGone) ->
            gateway
                .killBranch(address)
                .map(count ->
                    List.of(
                        "ended "
                            + clients(count)
                            + "; new ones wait until RESUME "
                            + ConsoleTables.shown(address))));
  }

  private Answer killClient(Word id) {
    long number;
    try {
      number = Long.parseLong(id.text());
    } catch (NumberFormatException e) {
      throw new ConsoleException(
          ConsoleException.SYNTAX_ERROR,
          "not a client's id: " + id.text(),
          "SHOW CLIENTS has ids.");
    }
    return act(
        "KILL",
        () ->
            gateway
                .kill(client -> client.id() == number)
                .compose(count ->
                    count == 0
                        ? Future.failedFuture(
                            new ConsoleException(
                                ConsoleException.UNDEFINED_OBJECT,
                                "there is no client " + number,
                                "SHOW CLIENTS has ids."))
                        : Future.succeededFuture(List.of())));
  }

  private static String clients(int count) {
    return count + (count == 1 ? " client" : " clients");
  }

  private Answer reload(List<Word> rest) {
    if (!rest.isEmpty()) {
      throw usage("RELOAD");
    }
    return act("RELOAD", gateway::reload);
  }

  private static Answer act(String tag, Supplier<Future<List<String>>> run) {
    return new Answer.Act(tag, isGone -> run.get());
  }

  private Answer onBranch(
      String tag, Word name, BiFunction<String, BooleanSupplier, Future<List<String>>> run) {
    BranchAddress address;
    try {
      address = BranchAddress.parse(name.name());
    } catch (IllegalArgumentException e) {
      throw missing(name.name());
    }
    return new Answer.Act(
        tag,
        isGone ->
            gateway
                .exists(address)
                .compose(exists ->
                    exists
                        ? run.apply(address.toString(), isGone)
                        : Future.failedFuture(missing(name.name()))));
  }

  private static ConsoleException missing(String name) {
    return new ConsoleException(
        "3D000", "database \"" + name + "\" does not exist", "SHOW DATABASES lists those in use.");
  }

  private static Word one(List<Word> words, String usage) {
    if (words.size() != 1) {
      throw usage(usage);
    }
    return words.getFirst();
  }

  private static ConsoleException usage(String usage) {
    return new ConsoleException(ConsoleException.SYNTAX_ERROR, "usage: " + usage, HINT);
  }
}
