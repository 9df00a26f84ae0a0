"""The experiments behind `overparam experiments`: what each claim says beside what was measured."""
