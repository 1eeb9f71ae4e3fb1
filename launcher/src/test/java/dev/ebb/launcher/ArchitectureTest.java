package dev.ebb.launcher;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.USE_JAVA_UTIL_LOGGING;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may know whom: the modules, the packages within them, and what nobody uses. */
final class ArchitectureTest {
  private static final List<String> SERVICES =
      List.of("pageservice", "walservice", "computeservice", "gateway", "scalerservice");
  private static final JavaClasses EBB =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .withImportOption(location -> !location.contains("-tests.jar"))
          .importPackages("dev.ebb");

  private static String module(String name) {
    return "dev.ebb." + name + "..";
  }

  @Test
  void everyModuleIsLookedAt() {
    for (String name : SERVICES) {
      assertThat(EBB.stream().anyMatch(resideInAPackage(module(name)))).as(name).isTrue();
    }
    assertThat(EBB.stream().anyMatch(resideInAPackage(module("shared")))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"pageservice", "walservice", "computeservice", "gateway", "scalerservice"})
  void serviceKnowsSharedAndNoOtherModule(String service) {
    List<String> others = new ArrayList<>();
    SERVICES.stream()
        .filter(name -> !name.equals(service))
        .map(ArchitectureTest::module)
        .forEach(others::add);
    others.add(module("launcher"));

    noClasses()
        .that()
        .resideInAPackage(module(service))
        .should()
        .dependOnClassesThat(resideInAnyPackage(others.toArray(String[]::new)))
        .check(EBB);
  }

  @Test
  void sharedKnowsNoService() {
    List<String> others = new ArrayList<>(SERVICES.stream().map(ArchitectureTest::module).toList());
    others.add(module("launcher"));

    noClasses()
        .that()
        .resideInAPackage(module("shared"))
        .should()
        .dependOnClassesThat(resideInAnyPackage(others.toArray(String[]::new)))
        .check(EBB);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "shared",
        "pageservice",
        "walservice",
        "computeservice",
        "gateway",
        "scalerservice",
        "launcher"
      })
  void packagesOfAModuleHaveNoCycles(String module) {
    slices()
        .matching("dev.ebb." + module + ".(*)..")
        .should()
        .beFreeOfCycles()
        .allowEmptyShould(true)
        .check(EBB);
  }

  @Test
  void nobodyLogsThroughJavaUtilLogging() {
    noClasses().should(USE_JAVA_UTIL_LOGGING).check(EBB);
  }

  @Test
  void onlyTheLauncherPrints() {
    noClasses()
        .that()
        .resideOutsideOfPackage(module("launcher"))
        .should(ACCESS_STANDARD_STREAMS)
        .check(EBB);
  }

  @Test
  void commandsThatLiveForAMomentLoadNoServer() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.ebb.launcher.client..")
        .or()
        .resideInAPackage("dev.ebb.launcher.cli..")
        .should()
        .dependOnClassesThat(
            resideInAnyPackage(
                "io.vertx..", "org.apache.kafka..", "com.hazelcast..", "org.slf4j.."))
        .check(EBB);
  }

  @Test
  void classesAreFinalUnlessMadeToBeExtended() {
    classes()
        .that()
        .areTopLevelClasses()
        .and()
        .areNotInterfaces()
        .and()
        .areNotEnums()
        .and()
        .areNotAnnotations()
        .and()
        .doNotHaveModifier(com.tngtech.archunit.core.domain.JavaModifier.ABSTRACT)
        .should()
        .haveModifier(com.tngtech.archunit.core.domain.JavaModifier.FINAL)
        .check(EBB);
  }
}
