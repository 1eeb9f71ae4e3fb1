package dev.ebb.launcher.cli;

import dev.ebb.launcher.up.ServiceName;
import dev.ebb.launcher.up.ServiceProcess;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code ebb run}. */
@Command(
    name = "run",
    mixinStandardHelpOptions = true,
    versionProvider = EbbCommand.Version.class,
    description = "Run one service in this process, joined to the others by configuration.",
    footer = {
      "",
      "The configuration names the other members (hazelcast.members), Kafka",
      "(kafka.bootstrapServers) and the object store. All processes need the same",
      "EBB_CLUSTER_SECRET, or the same file cluster-secret in their data directories.",
      "\"run gateway\" serves the HTTP API, too.",
      "Example: ./ebb run compute --config ebb.yaml --http-port 9101"
    })
final class RunCommand implements Callable<Integer> {
  @Spec private CommandSpec spec = CommandSpec.create();

  @Parameters(
      paramLabel = "SERVICE",
      converter = NameConverter.class,
      description = "gateway, compute, page, wal or scaler.")
  private @Nullable ServiceName service;

  @Mixin private ConfigOptions options = new ConfigOptions();

  @Override
  public Integer call() throws Exception {
    if (service != null) {
      ServiceProcess.run(service, options.read("service.httpPort"), spec.commandLine().getOut());
    }
    return ExitCodes.OK;
  }

  /** For picocli: the names in small letters. */
  static final class NameConverter implements ITypeConverter<ServiceName> {
    @Override
    public ServiceName convert(String text) {
      for (ServiceName name : ServiceName.values()) {
        if (name.name().toLowerCase(Locale.ROOT).equals(text)) {
          return name;
        }
      }
      throw new TypeConversionException(
          "there is no service \"" + text + "\": gateway, compute, page, wal or scaler");
    }
  }
}
