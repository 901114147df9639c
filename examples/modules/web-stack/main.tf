terraform {
  required_version = ">= 1.4"
}

locals {
  prefix = var.deployment_id == "" ? var.service_name : "${var.service_name}-${var.deployment_id}"
  labels = merge(var.labels, { service = var.service_name, environment = var.environment })
}

resource "terraform_data" "network" {
  input = { name = "${local.prefix}-network", region = var.region, labels = local.labels }
}

resource "terraform_data" "database" {
  count = var.create_database ? 1 : 0

  input = {
    name    = "${local.prefix}-db"
    network = terraform_data.network.output.name
    engine  = var.database.engine
    storage = "${var.database.storage_gb} GB"
    backup  = var.database.backup
    flags   = var.database.flags
  }
}

resource "terraform_data" "instance" {
  count = var.instances

  input            = { name = "${local.prefix}-${count.index + 1}", network = terraform_data.network.output.name }
  triggers_replace = [var.region]

  provisioner "local-exec" {
    command     = "echo \"$NAME is up\""
    environment = { NAME = self.input.name }
  }
}

resource "terraform_data" "listener" {
  for_each = { for listener in var.listeners : tostring(listener.port) => listener }

  input = {
    address  = "${each.value.protocol}://${var.domains[0]}:${each.key}"
    paths    = sort(each.value.paths)
    backends = terraform_data.instance[*].output.name
  }
}

resource "terraform_data" "administrator" {
  input = { user = "${local.prefix}-operator", password_digest = sha256(var.admin_password) }
}

resource "terraform_data" "certificate" {
  for_each = var.encrypt ? toset(var.domains) : []

  input = { domain = each.key, contact = var.certificate_contact }
}
