package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ebb wake}. */
@Command(
    name = "wake",
    description = "Start a database's compute (connecting to it does so, too).",
    footer = {"", "Example: ./ebb wake shop"})
final class WakeCommand extends ApiCommand {
  @Parameters(
      paramLabel = "NAME[@BRANCH]",
      converter = BranchArgument.Converter.class,
      description = "What to wake; without a branch: main.")
  private BranchArgument branch = new BranchArgument("", "main");

  @Override
  void ask(ApiClient client) throws Exception {
    Object answer = client.send("POST", branch.path() + "/wake", null);
    boolean awake = answer instanceof Map<?, ?> map && Boolean.FALSE.equals(map.get("started"));
    answer(answer, branch + (awake ? " was awake already" : " is awake"));
  }
}
