package dev.ebb.launcher.cli;

import dev.ebb.launcher.client.ApiClient;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ebb suspend}. */
@Command(
    name = "suspend",
    description = "Capture a database's state and stop its compute.",
    footer = {"", "Example: ./ebb suspend shop"})
final class SuspendCommand extends ApiCommand {
  @Parameters(
      paramLabel = "NAME[@BRANCH]",
      converter = BranchArgument.Converter.class,
      description = "What to suspend; without a branch: main.")
  private BranchArgument branch = new BranchArgument("", "main");

  @Override
  void ask(ApiClient client) throws Exception {
    Object answer = client.send("POST", branch.path() + "/suspend", null);
    boolean slept = answer instanceof Map<?, ?> map && Boolean.FALSE.equals(map.get("wasRunning"));
    answer(answer, branch + (slept ? " was asleep already" : " is suspended"));
  }
}
