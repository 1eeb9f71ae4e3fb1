package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.ErrorFrame;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.relay.ErrorDetails;
import dev.ebb.gateway.route.Computes;
import dev.ebb.shared.bus.ComputeMessage.Damage;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which object holds the damaged page that an error speaks of. PostgreSQL knows the page only: it
 * reports {@code invalid page in block 7 of relation "base/5/16384"} (bufmgr.c), {@code could not
 * read blocks 7..8 in file "base/5/16384.1"} (md.c) or {@code Could not read from file
 * "pg_xact/0000"} (slru.c), in the language of the session: numbers and paths are what is relied
 * upon.
 */
final class DamageDetails implements ErrorDetails {
  private static final Pattern PATH =
      Pattern.compile("(?<![\\w/.])((?:base|global|pg_\\w+)(?:/[\\w-]+)+)(?:\\.\\d+)?");

  private static final Pattern NUMBERS =
      Pattern.compile("(?<!\\d)(\\d{1,10})(?:\\.\\.(\\d{1,10}))?");

  private final Computes computes;
  private final BranchId branch;

  DamageDetails(Computes computes, BranchId branch) {
    this.computes = computes;
    this.branch = branch;
  }

  @Override
  public boolean concerns(ErrorFrame error) {
    String sqlState = error.sqlState();
    return sqlState.equals(SqlState.DATA_CORRUPTED) || sqlState.equals(SqlState.IO_ERROR);
  }

  @Override
  public Future<String> about(ErrorFrame error) {
    return computes.damages(branch).map(latest -> match(error.words(), latest));
  }

  /** The cause of the latest damage that the words mean; empty where they mean none. */
  static String match(String words, List<Damage> latest) {
    String rest = PATH.matcher(words).replaceAll(" ");
    return latest.stream()
        .filter(damage -> names(words, damage.relation()) && counts(rest, damage))
        .findFirst()
        .map(Damage::cause)
        .orElse("");
  }

  private static boolean names(String words, String relation) {
    Matcher paths = PATH.matcher(words);
    while (paths.find()) {
      if (relation.equals(paths.group(1))) {
        return true;
      }
    }
    return false;
  }

  private static boolean counts(String words, Damage damage) {
    if (damage.relation().startsWith("pg_") && !damage.relation().startsWith("pg_tblspc")) {
      return true; // of the commit log and its like the file is all that is told
    }
    Matcher numbers = NUMBERS.matcher(words);
    while (numbers.find()) {
      long first = Long.parseLong(numbers.group(1));
      long last = numbers.group(2) == null ? first : Long.parseLong(numbers.group(2));
      if (first <= damage.block() && damage.block() <= last) {
        return true;
      }
    }
    return false;
  }
}
