// Never run here: the machines that test this have no Gradle. `../package` and `../test` build and try the same sources.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "mailkeep"
include(":jvm", ":android")
