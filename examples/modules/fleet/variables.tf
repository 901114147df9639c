# What the marketplace shows and charges. None of this is asked of the person who deploys.

variable "module_description" {
  description = "One sentence for the card of this module. {{UIMeta group=0 order=1 }}"
  type        = string
  default     = "Two dozen machines that take their time: watch them start one after another."
}

variable "module_documentation" {
  description = "Where the module is documented. {{UIMeta group=0 order=2 }}"
  type        = string
  default     = "https://developer.hashicorp.com/terraform/language/meta-arguments/count"
}

variable "module_services" {
  description = "Services this module sets up. {{UIMeta group=0 order=4 }}"
  type        = list(string)
  default     = ["Machines"]
}

variable "credit_cost" {
  description = "Credits that one deployment costs. {{UIMeta group=0 order=5 }}"
  type        = number
  default     = 15
}

variable "require_credit_purchases" {
  description = "Only purchased credits may pay for this module. {{UIMeta group=0 order=6 }}"
  type        = bool
  default     = false
}

variable "enable_purge" {
  description = "Offer Purge for a deployment that is stuck. {{UIMeta group=0 order=7 }}"
  type        = bool
  default     = true
}

variable "public_access" {
  description = "Everybody signed in may deploy this module. {{UIMeta group=0 order=8 }}"
  type        = bool
  default     = true
}

variable "trusted_users" {
  description = "Who may deploy this module while it is not public. {{UIMeta group=0 order=9 }}"
  type        = list(string)
  default     = []
}

variable "deployment_id" {
  description = "Set by the platform: the id of the deployment, part of every name. {{UIMeta group=0 order=10 }}"
  type        = string
  default     = ""
}

# What is asked.

variable "size" {
  description = "How many machines to start. {{UIMeta group=1 order=101 updatesafe }}"
  type        = number
  default     = 24

  validation {
    condition     = var.size >= 1 && var.size <= 200 && floor(var.size) == var.size
    error_message = "A fleet has between 1 and 200 machines."
  }
}

variable "pause" {
  description = "Seconds each machine takes to start. {{UIMeta group=1 order=102 updatesafe }}"
  type        = number
  default     = 0.3

  validation {
    condition     = var.pause >= 0 && var.pause <= 60
    error_message = "A machine takes between 0 and 60 seconds."
  }
}
