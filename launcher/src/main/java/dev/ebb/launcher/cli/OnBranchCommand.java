package dev.ebb.launcher.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Parameters;

/** A command that asks the API about one branch. */
abstract class OnBranchCommand extends ApiCommand {
  @Parameters(
      index = "0",
      paramLabel = "NAME@BRANCH",
      converter = BranchArgument.Converter.class,
      description = "The branch; without @BRANCH: main.")
  private BranchArgument branch = new BranchArgument("", "main");

  final BranchArgument branch() {
    return branch;
  }

  /** A field of an answer; empty where there is none. */
  static String field(@Nullable Object answer, String key) {
    return answer instanceof Map<?, ?> fields && fields.get(key) != null
        ? String.valueOf(fields.get(key))
        : "";
  }
}
